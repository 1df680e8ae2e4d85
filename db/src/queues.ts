import { z } from 'zod';

interface QueueDefinition<T> {
  /** Checked when a job is enqueued and again when it is handed to a worker. */
  payload: z.ZodType<T>;
  /** A handler that runs longer has its signal aborted and the job is given to another worker. */
  expireInSeconds: number;
  /** How often a job is tried again after a handler threw or its worker died, before it goes to `<queue>.dead`. */
  retryLimit: number;
}

const queue = <T>(definition: QueueDefinition<T>) => definition;

/** Every queue there is. Each `<name>` has a dead-letter queue `<name>.dead` with the same payload. */
export const QUEUES = {
  'tts.generate': queue({
    payload: z.object({ generationId: z.string() }),
    expireInSeconds: 6 * 3600,
    retryLimit: 10,
  }),
  /** Removes what deleted or replaced speech left in the object store: everything below the prefixes, and the keys. */
  'tts.clean': queue({
    payload: z.object({ prefixes: z.array(z.string()), keys: z.array(z.string()) }),
    expireInSeconds: 900,
    retryLimit: 10,
  }),
  /** Removes the chunks' own objects once the whole has been there for a while. */
  'tts.discard-chunks': queue({ payload: z.object({ renderingId: z.string() }), expireInSeconds: 900, retryLimit: 10 }),
  'voices.fit': queue({ payload: z.object({ voiceId: z.string() }), expireInSeconds: 1800, retryLimit: 5 }),
  /** Removes what a deleted voice left in the object store; the owner, because the row may be gone by then. */
  'voices.clean': queue({
    payload: z.object({ ownerId: z.string(), voiceId: z.string() }),
    expireInSeconds: 900,
    retryLimit: 10,
  }),
};

export type QueueName = keyof typeof QUEUES;
export type DeadQueueName = `${QueueName}.dead`;
export type QueuePayload<N extends QueueName> = z.infer<(typeof QUEUES)[N]['payload']>;
type BaseOf<N extends QueueName | DeadQueueName> = N extends `${infer B extends QueueName}.dead`
  ? B
  : N extends QueueName
    ? N
    : never;
/** What a job of a queue, or of its dead-letter queue, carries. */
export type JobData<N extends QueueName | DeadQueueName> = QueuePayload<BaseOf<N>>;

export const QUEUE_NAMES = Object.keys(QUEUES).filter((name): name is QueueName => name in QUEUES);
