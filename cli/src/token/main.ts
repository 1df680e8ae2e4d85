import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { CommandError, runCommand } from '../run-command.ts';
import { parseStartEnv } from '../start/env.ts';

await runCommand({
  usage: `npm run -s token -- [options]

Prints one JWT of the development issuer, which the router trusts while AUTH_ISSUER is unset, and nothing else.

  --email E        whose it is (default: dev@timbre.local); the same e-mail is the same user
  --scopes "a b"   the scopes in it (default: all but the staff's)
  --admin          adds the staff's scopes`,
  options: { email: { type: 'string' }, scopes: { type: 'string' }, admin: { type: 'boolean' } },
  run: async ({ email = 'dev@timbre.local', scopes, admin = false }) => {
    const env = parseStartEnv(process.env);
    if (env.AUTH_ISSUER !== undefined) {
      throw new CommandError(
        `AUTH_ISSUER is set: tokens come from ${env.AUTH_ISSUER}. Unset it to use the development issuer.`,
      );
    }
    if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw new CommandError(`--email ${email}: not an e-mail address`, 2);
    const issuer = await loadDevIssuer(env.DATA_DIR);
    console.log(
      await issuer.sign({
        email,
        admin,
        ...(scopes === undefined ? {} : { scopes: scopes.split(/\s+/).filter(Boolean) }),
      }),
    );
  },
});
