import { once } from 'node:events';
import { WebSocket } from 'ws';
import { z } from 'zod';

const targetsSchema = z.array(z.object({ webSocketDebuggerUrl: z.string() }));
const replySchema = z.object({
  id: z.number().optional(),
  result: z.unknown(),
  error: z.object({ message: z.string() }).optional(),
});
const heapSchema = z.object({ usedSize: z.number() });
const profileSchema = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      }),
    ),
    samples: z.array(z.number()),
    timeDeltas: z.array(z.number()),
  }),
});

export type CpuProfile = z.infer<typeof profileSchema>['profile'];

/** A Node process started with `--inspect=127.0.0.1:PORT`, asked through the DevTools protocol: nothing in it is for the bench. */
export interface Inspector {
  collectGarbage(): Promise<void>;
  /** Bytes of live and not yet collected objects of JavaScript. */
  heapBytes(): Promise<number>;
  startProfile(): Promise<void>;
  stopProfile(): Promise<CpuProfile>;
  close(): void;
}

export async function connectInspector(port: number): Promise<Inspector> {
  const targets = targetsSchema.parse(await (await fetch(`http://127.0.0.1:${port}/json/list`)).json());
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '', { perMessageDeflate: false });
  await once(socket, 'open');
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let last = 0;
  socket.on('message', (message: Buffer) => {
    const { id = 0, result, error } = replySchema.parse(JSON.parse(message.toString('utf8')));
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });
  socket.on('close', () => {
    for (const call of waiting.values()) call.reject(new Error('The inspected process is gone.'));
  });
  const ask = (method: string): Promise<unknown> => {
    const call = Promise.withResolvers<unknown>();
    waiting.set(++last, call);
    socket.send(JSON.stringify({ id: last, method }));
    return call.promise;
  };
  return {
    async collectGarbage() {
      // What finalizers let go of in the first is collected in the second.
      await ask('HeapProfiler.collectGarbage');
      await ask('HeapProfiler.collectGarbage');
    },
    heapBytes: async () => heapSchema.parse(await ask('Runtime.getHeapUsage')).usedSize,
    async startProfile() {
      await ask('Profiler.enable');
      await ask('Profiler.start');
    },
    stopProfile: async () => profileSchema.parse(await ask('Profiler.stop')).profile,
    close: () => socket.close(),
  };
}
