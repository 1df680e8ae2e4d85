import { z } from 'zod';
import { ALGORITHMS } from '../auth/trusted-issuer.ts';

const name = z.string().min(1);

const source = z.union([
  z.strictObject({
    header: z.string().regex(/^[\w-]+$/),
    prefix: name.nullable().default(null).describe('a scheme, such as Bearer; without it the value is the token'),
  }),
  z.strictObject({ cookie: z.string().regex(/^[\w-]+$/) }),
]);

const claims = z
  .strictObject({
    scopes: z.array(name).min(1).describe('of which the first that is there counts; default scope'),
    permissions: name.describe('a list that bounds the scopes of a person; default permissions'),
    roles: z.string().regex(/[:/]/).describe('a list; namespaced, as in https://example.com/roles'),
    email: z.array(name).min(1).describe('of which the first that is there counts; default email'),
  })
  .exactPartial();

const issuer = z.strictObject({
  issuer: name.describe('exactly as in the claim iss: a trailing slash counts'),
  audiences: z.array(name).min(1).describe('of which a token must name one'),
  jwksUrl: z
    .url({ protocol: /^https?$/ })
    .describe('its keys; found by OpenID discovery otherwise')
    .exactOptional(),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).describe('default RS256 and ES256').exactOptional(),
  sources: z.array(source).min(1).describe('where its tokens are; default Authorization: Bearer').exactOptional(),
  claims: claims.exactOptional(),
  skewSeconds: z.int().min(0).max(60).describe('leeway between clocks; default 5').exactOptional(),
  logoutAudiences: z
    .array(name)
    .min(1)
    .describe('the client ids of its logout tokens, which are taken at /auth/backchannel-logout')
    .exactOptional(),
});

export const authentication = z.strictObject({
  issuers: z
    .array(issuer)
    .refine((issuers) => new Set(issuers.map((one) => one.issuer)).size === issuers.length, 'an issuer is there twice')
    .describe('whose tokens are trusted, beside that of AUTH_ISSUER'),
});
