import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { sha256, type TestVoices } from './start-test-voices.ts';

export type Person = ReturnType<TestVoices['person']>;

export interface File {
  fileName: string;
  mimeType: string;
  bytes: Uint8Array;
}

export const errorSchema = z.object({
  __typename: z.string(),
  code: z.string(),
  message: z.string(),
  path: z.array(z.string()).nullable(),
  statement: z.string().optional(),
  limit: z.number().optional(),
  used: z.number().optional(),
});

export const targetSchema = z.object({
  sampleId: z.string(),
  method: z.literal('PUT'),
  url: z.string(),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  expiresAt: z.iso.datetime(),
});
export type Target = z.infer<typeof targetSchema>;

export const voiceSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  kind: z.string(),
  status: z.string(),
  languages: z.array(z.string()),
  labels: z.array(z.object({ key: z.string(), value: z.string() })),
  previewUrl: z.string().nullable(),
  createdAt: z.iso.datetime(),
  owner: z.object({ id: z.string() }).nullable(),
  consent: z
    .object({
      state: z.string(),
      speakerName: z.string(),
      statement: z.string(),
      locale: z.string(),
      recordedAt: z.string().nullable(),
      verifiedAt: z.string().nullable(),
    })
    .nullable(),
  samples: z
    .array(
      z.object({
        id: z.string(),
        fileName: z.string(),
        mimeType: z.string(),
        sizeBytes: z.number(),
        durationMs: z.number().nullable(),
        sha256: z.string(),
      }),
    )
    .nullable(),
  fitting: z.number().nullable(),
  match: z
    .object({
      f0ErrorSemitones: z.number(),
      rangeErrorSemitones: z.number(),
      paceRatio: z.number(),
      timbreBefore: z.number(),
      timbreAfter: z.number(),
    })
    .nullable(),
  failure: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
});
export type VoiceView = z.infer<typeof voiceSchema>;

export const VOICE = `fragment V on Voice {
  id name description kind status languages labels { key value } previewUrl createdAt owner { id }
  consent { state speakerName statement locale recordedAt verifiedAt }
  samples { id fileName mimeType sizeBytes durationMs sha256 }
  fitting match { f0ErrorSemitones rangeErrorSemitones paceRatio timbreBefore timbreAfter }
  failure { code message retryable }
}`;
const ERRORS = `errors {
  __typename
  ... on UserError { code message path }
  ... on ConsentRequiredError { statement }
  ... on VoiceLimitError { limit used }
}`;
const TARGET = 'sampleId method url headers { name value } expiresAt';

export function announced({ fileName, mimeType, bytes }: File) {
  return { fileName, mimeType, sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/** Bytes that no two calls share; no audio. */
export function anyFile(text: string = randomUUID()): File {
  return { fileName: 'voice.wav', mimeType: 'audio/wav', bytes: Buffer.from(text) };
}

export function begin(person: Person, input: Record<string, unknown>) {
  const defaults = { idempotencyKey: randomUUID(), name: 'Lena', samples: [announced(anyFile())] };
  return payload(
    person,
    `mutation ($input: BeginVoiceCloneInput!) { out: beginVoiceClone(input: $input) { voice { ...V } uploads { ${TARGET} } consentStatement ${ERRORS} } } ${VOICE}`,
    { input: { ...defaults, ...input } },
    z.object({
      voice: voiceSchema.nullable(),
      uploads: z.array(targetSchema),
      consentStatement: z.string().nullable(),
      errors: z.array(errorSchema),
    }),
  );
}

export function consent(person: Person, voiceId: string, input: Record<string, unknown> = {}) {
  const defaults = {
    idempotencyKey: randomUUID(),
    voiceId,
    speakerName: 'Lena Speaker',
    locale: 'en',
    attestation: true,
  };
  return payload(
    person,
    `mutation ($input: SubmitConsentInput!) { out: submitVoiceConsent(input: $input) { voice { ...V } upload { ${TARGET} } ${ERRORS} } } ${VOICE}`,
    { input: { ...defaults, ...input } },
    z.object({ voice: voiceSchema.nullable(), upload: targetSchema.nullable(), errors: z.array(errorSchema) }),
  );
}

const voicePayload = z.object({ voice: voiceSchema.nullable(), errors: z.array(errorSchema) });

export function finalize(person: Person, voiceId: string, key: string = randomUUID()) {
  return payload(
    person,
    `mutation ($voiceId: ID!, $key: ID!) { out: finalizeVoiceClone(voiceId: $voiceId, idempotencyKey: $key) { voice { ...V } ${ERRORS} } } ${VOICE}`,
    { voiceId, key },
    voicePayload,
  );
}

export function update(person: Person, voiceId: string, input: Record<string, unknown>) {
  return payload(
    person,
    `mutation ($input: UpdateVoiceInput!) { out: updateVoice(input: $input) { voice { ...V } ${ERRORS} } } ${VOICE}`,
    { input: { voiceId, ...input } },
    voicePayload,
  );
}

export function revoke(person: Person, voiceId: string) {
  return payload(
    person,
    `mutation ($voiceId: ID!) { out: revokeVoiceConsent(voiceId: $voiceId) { voice { ...V } ${ERRORS} } } ${VOICE}`,
    { voiceId },
    voicePayload,
  );
}

export function remove(person: Person, voiceId: string) {
  return payload(
    person,
    `mutation ($voiceId: ID!) { out: deleteVoice(voiceId: $voiceId) { deletedVoiceId ${ERRORS} } }`,
    { voiceId },
    z.object({ deletedVoiceId: z.string().nullable(), errors: z.array(errorSchema) }),
  );
}

export async function read(person: Person, voiceId: string): Promise<VoiceView | null> {
  const query = `query ($id: ID!) { out: voice(id: $id) { ...V } } ${VOICE}`;
  return payload(person, query, { id: voiceId }, voiceSchema.nullable());
}

export async function put(target: Target, bytes: Uint8Array, headers?: Record<string, string>): Promise<number> {
  const response = await fetch(target.url, {
    method: target.method,
    headers: headers ?? Object.fromEntries(target.headers.map(({ name, value }) => [name, value])),
    body: Buffer.from(bytes),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Through all three steps: a voice that a worker may take up. */
export async function clone(
  person: Person,
  files: File[],
  consentInput: Record<string, unknown> = {},
  consentFile?: File,
): Promise<VoiceView> {
  const begun = await begin(person, { samples: files.map(announced) });
  if (begun.voice === null) throw new Error(JSON.stringify(begun.errors));
  for (const [index, target] of begun.uploads.entries()) await put(target, files[index]?.bytes ?? Buffer.alloc(0));
  const recording = consentFile === undefined ? {} : { recording: announced(consentFile) };
  const agreed = await consent(person, begun.voice.id, { ...recording, ...consentInput });
  if (agreed.upload !== null && consentFile !== undefined) await put(agreed.upload, consentFile.bytes);
  const { voice, errors } = await finalize(person, begun.voice.id);
  if (voice === null) throw new Error(JSON.stringify(errors));
  return voice;
}

/** Every event until the voice is READY or FAILED. */
export async function followToEnd(person: Person, voiceId: string): Promise<VoiceView[]> {
  const events: VoiceView[] = [];
  const query = `subscription ($id: ID!) { out: voiceStatusChanged(voiceId: $id) { ...V } } ${VOICE}`;
  for await (const { out } of person.follow(query, { id: voiceId }, z.object({ out: voiceSchema }))) events.push(out);
  return events;
}

async function payload<T>(person: Person, query: string, variables: Record<string, unknown>, shape: z.ZodType<T>) {
  const { out } = await person.ask(query, variables, z.object({ out: shape }));
  return out;
}
