import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDevIssuer } from '@timbre/platform/dev-issuer';
import { createIdentityVerifier, IDENTITY_HEADER } from '@timbre/platform/identity';
import { auditServer } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { parseSettings } from './env.ts';
import { listen } from './testing/listen.ts';
import { runProgram } from './testing/run-program.ts';
import type { Program } from './testing/run-program.ts';
import { startTestGraph } from './testing/test-graph.ts';
import { IDENTITY_SECRET } from './testing/test-subgraph.ts';
import type { TestGraph } from './testing/test-graph.ts';
import { answerOf, codesOf } from './testing/test-router.ts';

let directory: string;
let graph: TestGraph;
let supergraphFile: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'timbre-router-'));
  graph = await startTestGraph();
  supergraphFile = join(directory, 'supergraph.graphql');
  await writeFile(supergraphFile, graph.supergraph);
});

afterAll(async () => {
  await graph.close();
  await rm(directory, { recursive: true });
});

const subgraphUrls = () => ({
  SUBGRAPH_URL_PEOPLE: graph.subgraphUrl('people') ?? '',
  SUBGRAPH_URL_VOICES: graph.subgraphUrl('voices') ?? '',
});
const post = async (url: string, query: string, headers: Record<string, string> = {}) =>
  answerOf(
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    }),
  );
const aliases = (count: number) => `{ ${Array.from({ length: count }, (_, i) => `a${i}: __typename`).join(' ')} }`;

describe('on any supergraph', () => {
  let program: Program;

  beforeAll(async () => {
    program = await runProgram(['--supergraph', supergraphFile, '--port', '0', '--max-aliases', '60'], subgraphUrls());
  });

  afterAll(() => program.stop());

  test('everybody is anonymous, and no policy is in the way', async () => {
    expect((await post(program.url, '{ __typename }', { authorization: 'Bearer nonsense' })).data).toEqual({
      __typename: 'Query',
    });
    const get = await fetch(`${program.url}?query={__typename}`);
    expect(get.status).toBe(200);
    expect(
      (await post(program.url, '{ people(first: 1000000000) { __typename } __schema { types { name } } }')).errors,
    ).not.toMatchObject([{ extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE' } }]);
  });

  test('the audits of GraphQL over HTTP are all ok', async () => {
    const results = await auditServer({ url: program.url });
    const notOk = results.filter(({ status }) => status !== 'ok');
    expect(notOk.map(({ id, name, status }) => `${id} ${status}: ${name}`)).toEqual([]);
    expect(results).toHaveLength(61);
  });

  test('flags set limits', async () => {
    expect((await post(program.url, aliases(60))).errors).toEqual([]);
    expect(codesOf(await post(program.url, aliases(61)))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  });

  test('a supergraph that takes the place of the file is served, a bad one is not', async () => {
    const file = join(directory, 'replaced.graphql');
    const replace = async (sdl: string) => {
      await writeFile(`${file}.new`, sdl);
      await rename(`${file}.new`, file);
    };
    await writeFile(file, graph.supergraph);
    const dataDir = join(directory, 'open');
    const watching = await runProgram(['--supergraph', file, '--port', '0'], { ...subgraphUrls(), DATA_DIR: dataDir });
    expect(watching.output()).toContain(`"watching":"${file}"`);

    await replace(graph.supergraph.replaceAll('costly', 'precious'));
    await watching.printed('a new supergraph is served');
    expect((await post(watching.url, '{ __type(name: "Query") { fields { name } } }')).text).toContain('precious');
    await replace('type Query {');
    await watching.printed('cannot be served');
    expect((await post(watching.url, '{ __type(name: "Query") { fields { name } } }')).text).toContain('precious');
    const metrics = await (await fetch(new URL('/metrics', watching.url))).text();
    expect(metrics).toMatch(/timbre_router_reloads_total\{[^}]*outcome="refused"[^}]*\} 1/);
    expect(metrics).toMatch(/timbre_router_supergraph_info\{[^}]*id="[0-9a-f]{12}"[^}]*\} 1/);
    expect(await watching.stop()).toBe(0);
    expect(await readFile(join(dataDir, 'hot-operations.json'), 'utf8')).toContain('__type(name:');
  });

  test('a supergraph can come from a URL', async () => {
    const server = createServer((_req, res) => void res.end(graph.supergraph));
    const url = `${await listen(server)}/supergraph`;
    const fromUrl = await runProgram(['--supergraph', `${url}?key=secret`, '--port', '0'], subgraphUrls());
    expect((await post(fromUrl.url, '{ __type(name: "Person") { name } }')).data).toEqual({
      __type: { name: 'Person' },
    });
    expect(fromUrl.output()).toContain(`"watching":"${url}"`);
    expect(fromUrl.output()).not.toContain('secret');
    expect(await fromUrl.stop()).toBe(0);
    server.closeAllConnections();
    server.close();
    await expect(runProgram(['--supergraph', url])).rejects.toThrow(/exit 1: .*\/supergraph cannot be read/s);
  });

  test('health, metrics and what is not there', async () => {
    expect((await fetch(new URL('/health', program.url))).status).toBe(200);
    expect((await fetch(new URL('/readyz', program.url))).status).toBe(200);
    expect(await (await fetch(new URL('/metrics', program.url))).text()).toContain(
      'timbre_router_operation_duration_seconds',
    );
    expect(await (await fetch(new URL('/usage?deprecated=true', program.url))).json()).toEqual({
      since: expect.stringMatching(/^\d{4}-/),
      coordinates: [],
    });
    expect((await fetch(new URL('/usage', program.url), { method: 'POST' })).status).toBe(405);
    expect((await fetch(new URL('/nothing', program.url))).status).toBe(404);
    for (const header of ['x-forwarded-for', 'forwarded', 'via']) {
      for (const path of ['/metrics', '/usage']) {
        const { status } = await fetch(new URL(path, program.url), { headers: { [header]: '203.0.113.7' } });
        expect(status, `${path} through a proxy on this machine, by ${header}`).toBe(404);
      }
    }
    for (const path of ['/health', '/livez', '/metrics', '/nothing', '/graphql']) {
      const { headers } = await fetch(new URL(path, program.url));
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'");
    }
    expect((await fetch(new URL('/uploads/x', program.url), { method: 'PUT', body: 'x' })).status).toBe(404);
  });
});

test('a changed configuration is in use without a restart, and a bad one is told and left', async () => {
  const config = join(directory, 'followed.yaml');
  await writeFile(config, 'limits: { maxDepth: 3 }\n');
  const followed = await runProgram(
    ['--supergraph', supergraphFile, '--config', config, '--port', '0'],
    subgraphUrls(),
  );
  const query = '{ person(id: "p1") { favourite { owner { id } } } }';
  expect(codesOf(await post(followed.url, query))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
  await writeFile(config, 'limits: { maxDepth: 4 }\nsubscriptions: { keepAliveMs: 5000 }\n');
  await followed.printed('"waiting":["subscriptions"]');
  await followed.printed('the new configuration is in use');
  // From here on it is the subgraph that refuses: the program sends it no identity.
  expect(codesOf(await post(followed.url, query))).toEqual(['UNAUTHENTICATED']);
  await writeFile(config, 'limits: { maxDepth: four }\n');
  await followed.printed('limits.maxDepth');
  expect(codesOf(await post(followed.url, query))).toEqual(['UNAUTHENTICATED']);
  expect(await followed.stop()).toBe(0);
});

describe("on Timbre's own graph", () => {
  let program: Program;
  let users: Server;
  let dataDir: string;
  const verifyIdentity = createIdentityVerifier(IDENTITY_SECRET);

  beforeAll(async () => {
    dataDir = join(directory, 'data');
    users = createServer((req, res) => {
      req.resume().on('end', () => {
        const identity = verifyIdentity(req.headers[IDENTITY_HEADER]?.toString());
        const body =
          req.url === '/internal/principal'
            ? { userId: 'usr_1', role: 'USER', plan: 'plan_free', blocked: false }
            : { data: { me: { id: identity.userId } } };
        res.end(JSON.stringify(body));
      });
    });
    program = await runProgram([], {
      PORT: '0',
      DATA_DIR: dataDir,
      IDENTITY_SECRET,
      SUBGRAPH_URL_USERS: `${await listen(users)}/graphql`,
    });
  });

  afterAll(async () => {
    await program.stop();
    users.closeAllConnections();
    users.close();
  });

  test('a development token is who it says', async () => {
    const token = await (await loadDevIssuer(dataDir)).sign({ email: 'a@example.com' });
    const answer = await post(program.url, '{ me { id } }', { authorization: `Bearer ${token}` });
    expect(answer.data).toEqual({ me: { id: 'usr_1' } });
    expect((await post(program.url, '{ me { id } }')).data).toEqual({ me: null });
    expect((await post(program.url, '{ me { id } }', { authorization: 'Bearer x' })).status).toBe(401);
  });

  test('all policies are on', async () => {
    expect(codesOf(await post(program.url, aliases(50)))).toEqual(['OPERATION_LIMIT_EXCEEDED']);
    expect(codesOf(await answerOf(await fetch(`${program.url}?query={__typename}`)))).toEqual(['CSRF_PREVENTION']);
    const token = await (await loadDevIssuer(dataDir)).sign();
    const greedy =
      '{ me { generations(first: 100) { edges { node { voice { generations(first: 100) { edges { node { id } } } } } } } } }';
    expect(codesOf(await post(program.url, greedy, { authorization: `Bearer ${token}` }))).toEqual([
      'COST_ESTIMATED_TOO_EXPENSIVE',
    ]);
    expect((await post(program.url, '{ __schema { queryType { name } } }')).errors).toEqual([]);
  });

  test('the store of files is mounted', async () => {
    const forged = await fetch(new URL('/media/tenants/x.wav?signature=x', program.url));
    expect(forged.status).toBe(403);
  });

  test('a browser finds Sandbox, and how to connect', async () => {
    const page = await (await fetch(new URL('/', program.url), { headers: { accept: 'text/html' } })).text();
    expect(page).toContain('npm run -s token');
  });
});

test('SIGTERM lets the request in flight finish, closes sockets with 1001 and exits 0', async () => {
  let release: (() => void) | undefined;
  const started = Promise.withResolvers<void>();
  const slow = createServer((req, res) => {
    req.resume().on('end', () => {
      started.resolve();
      release = () => res.end('{"data":{"voice":{"id":"late"}}}');
    });
  });
  const program = await runProgram(['--supergraph', supergraphFile, '--port', '0'], {
    ...subgraphUrls(),
    SUBGRAPH_URL_VOICES: `${await listen(slow)}/graphql`,
  });
  const socket = new WebSocket(program.url.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  const closed = once(socket, 'close');
  const inFlight = post(program.url, '{ voice(id: "late") { id } }');
  await started.promise;
  const exit = program.stop();
  release?.();
  expect((await inFlight).data).toEqual({ voice: { id: 'late' } });
  expect(await closed).toContain(1001);
  expect(await exit).toBe(0);
  slow.closeAllConnections();
  slow.close();
});

describe('what it cannot run with', () => {
  test.each([
    ['an unknown flag', ['--supergraf', 'x'], {}, /supergraf/],
    ['numbers that are none', ['--supergraph', 'x', '--port', 'x', '--max-cost', '0'], {}, /--port.*--max-cost/s],
    ['an issuer without an audience', ['--supergraph', 'x'], { AUTH_ISSUER: 'https://x.test/' }, /AUTH_AUDIENCE/],
    ['nothing at all', [], {}, /IDENTITY_SECRET/],
    [
      'production without an issuer',
      [],
      { NODE_ENV: 'production' },
      /AUTH_ISSUER is not set[^]*IDENTITY_SECRET|IDENTITY_SECRET[^]*AUTH_ISSUER/,
    ],
    ['an address that is none', ['--supergraph', 'x'], { SUBGRAPH_URL_A: 'nowhere' }, /SUBGRAPH_URL_A/],
    ['origins that are none', [], { IDENTITY_SECRET, CORS_ORIGINS: 'https://a.test/path' }, /CORS_ORIGINS/],
  ])('%s is said', (_name, args, env, message) => {
    expect(() => parseSettings(args, env)).toThrow(message);
  });

  test('a missing file ends it with 1 and its name', async () => {
    await expect(runProgram(['--supergraph', '/nowhere.graphql'])).rejects.toThrow(/exit 1: .*\/nowhere\.graphql/s);
  });

  test('--check says whether configuration and supergraph can be served', async () => {
    const config = join(directory, 'checked.yaml');
    await writeFile(config, 'limits: { maxDepth: 3 }\n');
    const checked = ['--supergraph', supergraphFile, '--config', config, '--check'];
    await expect(runProgram(checked)).rejects.toThrow(/exit 0: .*checked\.yaml.*can be served/);
    await writeFile(config, 'authorization: { dryRun: true }\n');
    await expect(runProgram(checked)).rejects.toThrow(
      /exit 0: .*can be served.*\nWARNING: authorization\.dryRun is on/,
    );
    await writeFile(config, 'limits: { maxDept: 3 }\n');
    await expect(runProgram(checked)).rejects.toThrow(
      /exit 1: .*checked\.yaml is not usable:\n {2}1:\d+ limits.*maxDept/,
    );
    await writeFile(config, 'responseCache: { mutations: { nothingLikeIt: { subgraphs: [nowhere] } } }\n');
    const unknown = /exit 1: responseCache\.mutations is not usable:\n {2}nothingLikeIt .*\n {2}.*nowhere/;
    await expect(runProgram(checked)).rejects.toThrow(unknown);
    await expect(runProgram(checked.slice(0, -1))).rejects.toThrow(unknown);
    await expect(runProgram(['--supergraph', config, '--check'])).rejects.toThrow(
      /exit 1: The supergraph .*is not usable/,
    );
  });

  test('--config-schema is a JSON schema', async () => {
    await expect(runProgram(['--config-schema'])).rejects.toThrow(/exit 0: \{[^]*json-schema\.org/);
  });

  test('--help is text and 0', async () => {
    await expect(runProgram(['--help'])).rejects.toThrow(/exit 0: Usage:/);
  });
});
