import type { CodegenConfig } from '@graphql-codegen/cli';
import { SUBGRAPHS } from './schema/compose.ts';

const scalars = {
  DateTime: { input: 'string', output: 'Date | string' },
  ID: { input: 'string', output: 'string' },
};

/**
 * Row mappers of each subgraph: GraphQL type → the type its resolvers receive, exported by `src/rows.ts`.
 * An entity that another subgraph owns maps to its stub (`UserRef`).
 */
const mappers: Record<(typeof SUBGRAPHS)[number], Record<string, string>> = {
  users: {
    User: 'UserRow',
    ApiKey: 'ApiKeyRow',
    Voice: 'NodeRef',
    Generation: 'NodeRef',
    ApiKeyConnection: 'ApiKeyPage',
    ApiKeyEdge: 'ApiKeyPageEdge',
  },
  voices: {
    User: 'UserRef',
    Voice: 'VoiceRow',
    VoiceSample: 'SampleRow',
    VoiceConnection: 'VoicePage',
    VoiceEdge: 'VoicePageEdge',
  },
  tts: {
    User: 'UserRef',
    Voice: 'VoiceRef',
    Model: 'SpeechModel',
    Generation: 'GenerationRow',
    GenerationChunk: 'ChunkRow',
    AudioAsset: 'AudioAssetRow',
    GenerationConnection: 'GenerationPage',
    GenerationEdge: 'GenerationPageEdge',
    GenerationProgressed: 'GenerationProgressedRow',
    GenerationChunkReady: 'GenerationChunkReadyRow',
    GenerationFinished: 'GenerationFinishedRow',
    GenerationEvent: 'EventRow',
  },
  billing: {
    User: 'UserRef',
    Generation: 'GenerationRef',
    Plan: 'PlanRow',
    Quota: 'QuotaRow',
    CreditCharge: 'ChargeRow',
  },
};

const config: CodegenConfig = {
  generates: {
    ...Object.fromEntries(
      SUBGRAPHS.map((name) => [
        `subgraphs/${name}/src/generated/types.ts`,
        {
          schema: `schema/${name}.graphql`,
          plugins: ['typescript', 'typescript-resolvers'],
          config: {
            federation: true,
            scalars,
            mappers: Object.fromEntries(
              Object.entries(mappers[name]).map(([type, row]) => [type, `../rows.ts#${row}`]),
            ),
            contextType: '../context.ts#Context',
            enumType: 'string-literal',
            enumsAsTypes: true,
            useTypeImports: true,
            // Root fields must be resolved; the rest may fall back to the row's own field.
            avoidOptionals: {
              query: true,
              mutation: true,
              subscription: true,
              resolvers: false,
              field: false,
              inputValue: false,
            },
            resolversNonOptionalTypename: { unionMember: true },
          },
        },
      ]),
    ),
    // Typed documents for the command line and the whole-system tests.
    'cli/src/generated/': {
      schema: 'schema/supergraph.graphql',
      documents: 'schema/operations/*.graphql',
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        useTypeImports: true,
        scalars: { DateTime: 'string', ID: 'string' },
        importExtension: '.ts',
        emitLegacyCommonJSImports: false,
      },
    },
  },
};

export default config;
