import { z } from 'zod';
import type { AnnotationTable } from './annotations.ts';

/* What the planner's thread and the rest of the process say to each other; replies are parsed where they arrive. */

/** `supergraph` is the id under which the thread knows one. */
export type PlannerRequest =
  | { kind: 'load'; request: number; supergraph: string; sdl: string }
  | { kind: 'plan'; request: number; supergraph: string; document: string; overrides: readonly string[] }
  | { kind: 'unload'; supergraph: string }
  | { kind: 'list'; request: number };

const plannerErrorSchema = z.object({
  /** `limit`: the planner gives up on the operation's size. `unsupported`: it does not plan operations of the kind. */
  kind: z.enum(['graphql', 'limit', 'unsupported', 'other']),
  message: z.string(),
  code: z.string().optional(),
  stack: z.string().optional(),
});

const groups = z.array(z.array(z.string())).nullable();
const requirement = z.object({ authenticated: z.boolean(), scopes: groups, policies: groups });

const annotationTable: z.ZodType<AnnotationTable, AnnotationTable> = z.object({
  types: z.map(
    z.string(),
    z.object({
      requirement: requirement.nullable(),
      cost: z.number().nullable(),
      fields: z.map(
        z.string(),
        z.object({
          requirement: requirement.nullable(),
          transitive: z.array(requirement),
          cost: z.number().nullable(),
          listSize: z
            .object({
              assumedSize: z.number().nullable(),
              slicingArguments: z.array(z.string()),
              sizedFields: z.array(z.string()),
              requireOneSlicingArgument: z.boolean(),
            })
            .nullable(),
          argumentCosts: z.map(z.string(), z.number()),
        }),
      ),
    }),
  ),
  scopes: z.set(z.string()),
  policies: z.set(z.string()),
});

const loadedSchema = z.object({
  /** What clients see, with `@defer`; valid. */
  apiSchema: z.string(),
  /** What subgraphs may be asked for, inaccessible elements too; null where that is the same. */
  fullSchema: z.string().nullable(),
  /** Of every interface and union, inaccessible ones too. */
  possibleTypes: z.map(z.string(), z.set(z.string())),
  names: z.object({
    fields: z.set(z.string()),
    required: z.set(z.string()),
    interfaceObjects: z.set(z.string()),
    prefix: z.string(),
  }),
  keys: z.map(z.string(), z.map(z.string(), z.array(z.string()))),
  /** The formats of `@cacheTag`s, by subgraph, and by type (`User`) or root field (`Query.user`). */
  cacheTags: z.map(z.string(), z.map(z.string(), z.array(z.string()))),
  /** Of progressive `@override`s. */
  overrideLabels: z.array(z.string()),
  annotations: annotationTable,
  subgraphs: z.array(z.object({ name: z.string(), url: z.string() })),
  /** Names the planner and how it is configured: plans of another one are not interchangeable. */
  planner: z.string(),
  /** How long the thread was at it: so long nothing else could be planned. */
  loadMs: z.number(),
});

/** What is known of a supergraph outside the planner's thread. */
export type PlannerSupergraph = z.output<typeof loadedSchema>;

export const plannerReplySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('loaded'), request: z.number(), supergraph: loadedSchema }),
  /** The plan as JSON: what a cache keeps, too. */
  z.object({ kind: z.literal('planned'), request: z.number(), plan: z.string() }),
  z.object({ kind: z.literal('listed'), request: z.number(), supergraphs: z.array(z.string()) }),
  z.object({ kind: z.literal('failed'), request: z.number(), error: plannerErrorSchema }),
]);

export type PlannerReply = z.output<typeof plannerReplySchema>;
export type PlannerErrorReply = z.output<typeof plannerErrorSchema>;
