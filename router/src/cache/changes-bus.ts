import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@timbre/platform/bus/bus';
import { MAX_MESSAGE_BYTES } from '@timbre/platform/bus/bus';
import { channels } from '@timbre/platform/bus/hints';
import { invalidationMessageSchema } from '@timbre/platform/cache/invalidation';
import type { Invalidation } from '@timbre/platform/cache/invalidation';
import type { Logger } from '@timbre/platform/logger';
import { z } from 'zod';
import type { Change } from './timeline.ts';

/** What routers tell each other of changes, and subgraphs tell routers. */
export interface ChangesBus {
  announce(change: Change): void;
  close(): Promise<void>;
}

export interface ChangesBusOptions {
  bus: Bus;
  log: Logger;
  /** Another router has told of it. */
  onChange: (change: Change) => void;
  /** A subgraph has told all routers of it, under this name. */
  onInvalidations: (invalidations: readonly Invalidation[], id: string) => void;
  /** Something may have been missed. */
  onGap: () => void;
}

const changeSchema = z.strictObject({
  from: z.string(),
  sequence: z.int().nonnegative().nullable(),
  tags: z.array(z.string()),
  /** Absent: everywhere. */
  parts: z.array(z.string()).nullable().default(null),
});

const AGAIN_MS = 1_000;
/** Of a message: the rest is for what is around the tags. */
const MAX_TAG_BYTES = MAX_MESSAGE_BYTES - 400;
/** More parts than fit here are everywhere. */
const MAX_PARTS_BYTES = MAX_TAG_BYTES / 2;

export function createChangesBus(options: ChangesBusOptions): ChangesBus {
  const { bus, log, onChange, onInvalidations, onGap } = options;
  const from = randomUUID();
  const stop = new AbortController();
  const { signal } = stop;
  const leaves: (() => Promise<void>)[] = [];

  function onMessage<T>(schema: z.ZodType<T>, use: (message: T) => void): (payload: string) => void {
    return (payload) => {
      const parsed = schema.safeParse(jsonOf(payload));
      if (parsed.success) use(parsed.data);
      else {
        // Something has changed, and nobody knows what.
        log.warn(
          { problem: z.prettifyError(parsed.error) },
          'an invalidation is not understood: everything is invalid',
        );
        onGap();
      }
    };
  }

  const channelsHeard: [string, (payload: string) => void][] = [
    [
      channels.cacheChanges,
      onMessage(changeSchema, (message) => {
        if (message.from !== from) onChange(message);
      }),
    ],
    [
      channels.cacheInvalidations,
      onMessage(invalidationMessageSchema, ({ invalidations, id }) => onInvalidations(invalidations, id)),
    ],
  ];

  async function subscribe(channel: string, heard: (payload: string) => void): Promise<void> {
    while (!signal.aborted) {
      try {
        leaves.push(await bus.subscribe(channel, heard, onGap));
        // What was told before then was not heard.
        onGap();
        return;
      } catch (error) {
        log.warn({ err: error, channel }, 'invalidations are not heard of now');
        await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  for (const [channel, heard] of channelsHeard) void subscribe(channel, heard);

  return {
    announce({ tags, parts, sequence }) {
      const partsBytes = parts === null ? 0 : Buffer.byteLength(JSON.stringify(parts));
      const where = parts === null || partsBytes > MAX_PARTS_BYTES ? {} : { parts };
      for (const some of inMessages(tags, MAX_TAG_BYTES - Math.min(partsBytes, MAX_PARTS_BYTES))) {
        void bus.publish(channels.cacheChanges, JSON.stringify({ from, sequence, ...where, tags: some }));
      }
    },
    async close() {
      stop.abort();
      // One that is still under way ends with the bus.
      await Promise.all(leaves.map((leave) => leave()));
    },
  };
}

function inMessages(tags: readonly string[], maxBytes: number): string[][] {
  const messages: string[][] = [];
  let bytes = maxBytes;
  for (const tag of tags) {
    const size = Buffer.byteLength(JSON.stringify(tag)) + 1;
    bytes += size;
    if (bytes > maxBytes) {
      messages.push([]);
      bytes = size;
    }
    messages.at(-1)?.push(tag);
  }
  return messages;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
