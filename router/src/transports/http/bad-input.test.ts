import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestGraph } from '../../testing/test-graph.ts';
import type { TestGraph } from '../../testing/test-graph.ts';
import { answerOf, codesOf, startTestRouter } from '../../testing/test-router.ts';
import type { TestRouter } from '../../testing/test-router.ts';

let graph: TestGraph;
let router: TestRouter;

beforeAll(async () => {
  graph = await startTestGraph();
  router = await startTestRouter(graph, { batching: { maximum: 10 } });
});

afterAll(async () => {
  await router.close();
  await graph.close();
});

/** Whatever came: the next one is answered as ever. */
afterEach(async () => {
  const { text } = await router.query('{ person(id: "p1") { name } }');
  if (text !== '{"data":{"person":{"name":"Person p1"}}}') throw new Error(`The next one was answered with ${text}`);
  if (Object.keys(Object.prototype).length > 0) throw new Error('Every object has what a request has said.');
});

const post = async (body: string) =>
  answerOf(await fetch(router.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body }));
const QUERY = 'query ($id: ID!) { person(id: $id) { id } }';

describe('JSON', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const chained = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

  test.each([
    ['extensions', `{"query":"{ person(id: \\"p2\\") { id } }","extensions":{"x":${chained(100_000)}}}`],
    ['what nobody knows', `{"query":"{ person(id: \\"p2\\") { id } }","x":${nested(500_000)}}`],
  ])('that nests without end in %s changes nothing', async (_name, body) => {
    expect((await post(body)).data).toEqual({ person: { id: 'p2' } });
  });

  test('that nests without end where it is read is refused', async () => {
    const variable = await post(`{"query":${JSON.stringify(QUERY)},"variables":{"id":${nested(200_000)}}}`);
    expect(codesOf(variable)).toEqual(['OPERATION_LIMIT_EXCEEDED']);
    const batch = await post(nested(500_000));
    expect([batch.status, codesOf(batch)]).toEqual([400, ['BAD_REQUEST']]);
  });

  test('whose keys are given twice has the last of each', async () => {
    const answer = await post(
      `{"query":"{ refuses }","query":${JSON.stringify(QUERY)},"variables":{"id":"p1"},"variables":{"id":"p1","id":"p2"}}`,
    );
    expect(answer.data).toEqual({ person: { id: 'p2' } });
  });

  test.each([
    `{"__proto__":{"query":"{ person(id: \\"p2\\") { id } }"}}`,
    `{"constructor":{"prototype":{"query":"{ __typename }"}}}`,
    `{"__proto__":null}`,
  ])('that would be a request by its prototype is none: %s', async (body) => {
    expect(codesOf(await post(body))).toEqual(['BAD_REQUEST']);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('a name like %s is a name', async (name) => {
    const query = JSON.stringify(`query ($id: ID!) { person(id: $id) { ${name}: id } }`);
    const answer = await post(`{"query":${query},"variables":{"id":"p2","${name}":{"id":"p1","polluted":true}}}`);
    expect(answer.text).toBe(`{"data":{"person":{"${name}":"p2"}}}`);
    expect(codesOf(await post(`{"query":"query A { __typename }","operationName":"${name}"}`))).toEqual([
      'OPERATION_RESOLUTION_FAILURE',
    ]);
    const variable = await post(`{"query":"query ($${name}: ID!) { person(id: $${name}) { id } }","variables":{}}`);
    expect(codesOf(variable)).toEqual(['BAD_USER_INPUT']);
  });

  test('half a character is passed on as that', async () => {
    const answer = await post(`{"query":${JSON.stringify(QUERY)},"variables":{"id":"\\ud800"}}`);
    expect(answer.text).toBe(String.raw`{"data":{"person":{"id":"\ud800"}}}`);
  });

  test.each([
    '\uFEFF{"query":"{ __typename }"}',
    '{"query":"{ __typename }"}x',
    "{'query':1}",
    'NaN',
    '"{ __typename }"',
    '',
  ])('%j is none, or no request', async (body) => {
    expect(codesOf(await post(body))).toEqual(['BAD_REQUEST']);
  });
});

describe('HTTP', () => {
  /** Everything that comes back until the connection ends. */
  async function say(...parts: string[]): Promise<string> {
    const client = connect(Number(new URL(router.url).port), '127.0.0.1');
    client.on('error', () => undefined);
    for (const part of parts) client.write(part);
    let answer = '';
    for await (const part of client) answer += String(part);
    return answer;
  }
  const head = (length: string) =>
    `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n`;
  const body = '{"query":"{ __typename }"}';
  const statuses = (text: string) =>
    [...text.matchAll(/HTTP\/1\.1 (?<status>\d+)/g)].map(({ groups }) => groups?.['status']);

  test('a body that is longer than it says is not half of another request', async () => {
    const answer = await say(head('content-length: 5'), `{"a":POST /evil HTTP/1.1\r\n\r\n`, '\r\n');
    expect(statuses(answer)[0]).toBe('400');
    expect(answer).not.toContain('"data"');
  });

  test('a body that breaks off is no request', async () => {
    const client = connect(Number(new URL(router.url).port), '127.0.0.1');
    client.on('error', () => undefined).write(head('content-length: 1000') + body);
    client.end();
    let answer = '';
    for await (const part of client) answer += String(part);
    expect(answer).not.toContain('"data"');
  });

  test('chunks of one byte are a body, chunks of nonsense are none', async () => {
    const chunks = body
      .split('')
      .map((byte) => `1\r\n${byte}\r\n`)
      .join('');
    const chunked = head('transfer-encoding: chunked\r\nconnection: close');
    expect(await say(chunked, chunks, '0\r\n\r\n')).toContain('{"data":{"__typename":"Query"}}');
    for (const nonsense of [
      'zz\r\n',
      '-1\r\n',
      'ffffffffffffffffff\r\n',
      '1\r\nab\r\n',
      `1;${'x'.repeat(100_000)}\r\n`,
    ]) {
      const answer = await say(chunked, nonsense);
      expect(answer, nonsense.slice(0, 20)).not.toContain('"data"');
    }
  });

  test.each([
    'content-length: 26\r\ntransfer-encoding: chunked',
    'content-length: 26\r\ncontent-length: 27',
    'content-length: +26',
    'content-length: 0x1a',
    'transfer-encoding: identity, chunked, identity',
  ])('a length that could be read in two ways is refused: %j', async (length) => {
    expect(statuses(await say(head(length), body))).toEqual(['400']);
  });

  test('a long address and very many parameters are no more than that', async () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `p${i}=1`).join('&');
    expect((await fetch(`${router.url}?${many}&query={__typename}`)).status).toBe(200);
    expect((await fetch(`${router.url}?query={__typename}&x=${'x'.repeat(20_000)}`)).status).toBe(431);
    const twice = await answerOf(await fetch(`${router.url}?query={__typename}&query={refuses}&variables=%7B%7D`));
    expect(twice.data).toEqual({ __typename: 'Query' });
    for (const parameters of [
      'query=%ff%fe',
      'query={__typename}&variables=[]',
      'query={__typename}&variables=%7B',
      'query=',
    ]) {
      expect(
        (await fetch(`${router.url}?${parameters}`, { headers: { accept: 'application/graphql-response+json' } }))
          .status,
      ).toBe(400);
    }
  });
});
