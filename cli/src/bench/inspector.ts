import { once } from 'node:events';
import { WebSocket } from 'ws';
import { z } from 'zod';

const targetsSchema = z.array(z.object({ webSocketDebuggerUrl: z.string() }));
const replySchema = z.object({
  id: z.number(),
  result: z.unknown(),
  error: z.object({ message: z.string() }).optional(),
});
const messageSchema = z.union([
  replySchema,
  z.object({ method: z.literal('NodeWorker.attachedToWorker'), params: z.object({ sessionId: z.string() }) }),
  z.object({ method: z.literal('NodeWorker.detachedFromWorker'), params: z.object({ sessionId: z.string() }) }),
  z.object({ method: z.literal('NodeWorker.receivedMessageFromWorker'), params: z.object({ message: z.string() }) }),
  z.object({ method: z.string() }).transform(() => null),
]);
const heapSchema = z.object({ usedSize: z.number() });
const profileSchema = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        children: z.array(z.number()).optional(),
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
  /** In every thread. */
  collectGarbage(): Promise<void>;
  /** Bytes of live and not yet collected objects of JavaScript, of all threads. */
  heapBytes(): Promise<number>;
  /** Of the main thread. */
  startProfile(): Promise<void>;
  stopProfile(): Promise<CpuProfile>;
  /** Runs an expression in the main thread. */
  evaluate(expression: string): Promise<void>;
  close(): void;
}

export async function connectInspector(port: number): Promise<Inspector> {
  const targets = targetsSchema.parse(await (await fetch(`http://127.0.0.1:${port}/json/list`)).json());
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '', { perMessageDeflate: false });
  await once(socket, 'open');
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const workers = new Set<string>();
  let last = 0;

  const receive = (text: string): void => {
    const message = messageSchema.parse(JSON.parse(text));
    if (message === null) return;
    if ('id' in message) {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) call?.reject(new Error(message.error.message));
      else call?.resolve(message.result);
    } else if (message.method === 'NodeWorker.receivedMessageFromWorker') receive(message.params.message);
    else if (message.method === 'NodeWorker.attachedToWorker') workers.add(message.params.sessionId);
    else workers.delete(message.params.sessionId);
  };
  socket.on('message', (message: Buffer) => receive(message.toString('utf8')));
  socket.on('close', () => {
    for (const call of waiting.values()) call.reject(new Error('The inspected process is gone.'));
  });

  const ask = (method: string, params: object = {}): Promise<unknown> => {
    const call = Promise.withResolvers<unknown>();
    waiting.set(++last, call);
    socket.send(JSON.stringify({ id: last, method, params }));
    return call.promise;
  };
  const askWorker = (sessionId: string, method: string): Promise<unknown> => {
    const call = Promise.withResolvers<unknown>();
    const id = ++last;
    waiting.set(id, call);
    const sent = ask('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method }) });
    return Promise.all([call.promise, sent]).then(([result]) => result);
  };
  const askAll = (method: string): Promise<unknown[]> =>
    Promise.all([ask(method), ...[...workers].map((sessionId) => askWorker(sessionId, method))]);

  await ask('NodeWorker.enable', { waitForDebuggerOnStart: false });
  return {
    async collectGarbage() {
      // What finalizers let go of in the first is collected in the second.
      await askAll('HeapProfiler.collectGarbage');
      await askAll('HeapProfiler.collectGarbage');
    },
    heapBytes: async () =>
      (await askAll('Runtime.getHeapUsage')).reduce<number>((sum, heap) => sum + heapSchema.parse(heap).usedSize, 0),
    async startProfile() {
      await ask('Profiler.enable');
      await ask('Profiler.start');
    },
    stopProfile: async () => profileSchema.parse(await ask('Profiler.stop')).profile,
    evaluate: async (expression) => void (await ask('Runtime.evaluate', { expression })),
    close: () => socket.close(),
  };
}
