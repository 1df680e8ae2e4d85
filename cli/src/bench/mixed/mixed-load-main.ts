import { setTimeout as sleep } from 'node:timers/promises';
import { serveCommands } from '../graph/control.ts';
import { codesOf, postOperation, type Answer, type OperationRequest } from '../post-operation.ts';
import { TransportClient } from '../subscriptions/transport-client.ts';
import { mixedLoadSchema } from './mixed-load.ts';
import { SequenceCheck } from './sequence-check.ts';

// Queries, mutations and subscriptions of all kinds at once. Argument: what `startMixedLoad` passes as JSON.
const settings = mixedLoadSchema.parse(JSON.parse(process.argv[2] ?? ''));
const { url, token, firstChannel } = settings;

/** Between two requests of a lane: the point is a steady load that leaves time for everything else, not the highest. */
const THINK_MS = 10;
/** What a subscription that comes and goes waits for. */
const VISIT_EVENTS = 3;
const KEPT_FAILURES = 20;

const QUERY = 'query Q($seed: Int!) { users(seed: $seed) { id name score } }';
const MUTATION = 'mutation M($id: ID!) { rename(id: $id, name: "new") { id name score } }';
const SUBSCRIPTION = 'subscription S($channel: Int!) { event(channel: $channel) { sequence user { name } } }';

const sequences = new SequenceCheck();
const latencies: number[] = [];
const subscribers: TransportClient[] = [];
const failures: string[] = [];
let requests = 0;
let failed = 0;
let visits = 0;
let events = 0;
const stop = new AbortController();

function fail(reason: string): void {
  failed++;
  if (failures.length < KEPT_FAILURES) failures.push(reason);
}

/** One request after the other, each of which must be answered as `isRight` has it. */
async function lane(
  requestOf: (index: number) => OperationRequest,
  isRight: (answer: Answer) => boolean,
  bearer = token,
): Promise<void> {
  for (let index = 0; !stop.signal.aborted; index++) {
    const sentAt = performance.now();
    try {
      const answer = await postOperation(url, requestOf(index), bearer);
      latencies.push(performance.now() - sentAt);
      if (!isRight(answer)) fail(JSON.stringify(answer).slice(0, 500));
    } catch (error) {
      if (!stop.signal.aborted) fail(String(error));
    }
    requests++;
    await sleep(THINK_MS);
  }
}

const isWhole = (answer: Answer): boolean => answer.status === 200 && !answer.errors && Boolean(answer.data);

/** Everything that a client may do wrong, and a field that always fails. */
const WRONG: readonly [request: OperationRequest, isRight: (answer: Answer) => boolean, bearer?: string][] = [
  [{ query: '{ broken }' }, ({ errors, data }) => errors?.length === 1 && data?.['broken'] === null],
  [{ query: '{ nothing }' }, ({ errors, data }) => errors !== undefined && data === undefined],
  [{ query: '{ users { id ' }, (answer) => codesOf(answer).includes('GRAPHQL_PARSE_FAILED')],
  [{ query: '{ now }' }, ({ status }) => status === 401, `${token.slice(0, -8)}AAAAAAAA`],
  [
    { query: `{ ${Array.from({ length: 29 }, (_, index) => `a${index}: users { id name score }`).join(' ')} }` },
    (answer) => codesOf(answer).includes('COST_ESTIMATED_TOO_EXPENSIVE'),
  ],
];

function subscribe(channel: number, localAddress: string, onEvent: (data: Record<string, unknown>) => void) {
  return new TransportClient({
    url: url.replace(/^http/, 'ws'),
    localAddress,
    token,
    query: SUBSCRIPTION,
    variables: { channel },
    onEvent: (data) => {
      events++;
      onEvent(data);
    },
    onFailure: (reason) => {
      if (!stop.signal.aborted) fail(reason);
    },
  });
}

/** Subscribes, waits for a few events and leaves: every other time without a word. */
async function visitor(channel: number): Promise<void> {
  while (!stop.signal.aborted) {
    let seen = 0;
    const enough = Promise.withResolvers<void>();
    const client = subscribe(channel, '127.0.0.3', () => {
      if (++seen === VISIT_EVENTS) enough.resolve();
    });
    await Promise.race([enough.promise, client.acknowledged.then(() => enough.promise)]).catch(() => undefined);
    if (visits++ % 2 === 0) client.close();
    else client.terminate();
  }
}

await serveCommands(settings.port, {
  async subscribe() {
    for (let index = 0; index < settings.subscriptions; index++) {
      const channel = firstChannel + index;
      const client = subscribe(channel, '127.0.0.2', (data) => sequences.take(channel, data));
      subscribers.push(client);
      await client.acknowledged;
    }
  },
  start() {
    const lanes = [
      ...Array.from({ length: settings.queries }, (_, offset) =>
        lane((index) => ({ query: QUERY, variables: { seed: index * settings.queries + offset } }), isWhole),
      ),
      ...Array.from({ length: settings.mutations }, (_, offset) =>
        lane((index) => ({ query: MUTATION, variables: { id: `${offset}-${index}` } }), isWhole),
      ),
      ...(settings.wrong ? WRONG.map(([request, isRight, bearer]) => lane(() => request, isRight, bearer)) : []),
      ...Array.from({ length: settings.visitors }, (_, index) => visitor(firstChannel + index)),
    ];
    void Promise.all(lanes);
  },
  report: () => ({ requests, failed, failures, visits, events, ...sequences.report(), latencies: latencies.splice(0) }),
  stop() {
    stop.abort();
    for (const client of subscribers.splice(0)) client.close();
  },
});
