import { hash } from 'node:crypto';
import { answerOf } from './test-router.ts';
import type { Answer, TestRouter } from './test-router.ts';

export const sha256 = (text: string) => hash('sha256', text);

/** The extensions of a request that names its document by this hash. */
export const named = (id: unknown, version: unknown = 1) => ({ persistedQuery: { version, sha256Hash: id } });

/** Any body, even one without a document. */
export async function post({ url }: TestRouter, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return answerOf(response);
}

export async function get({ url }: TestRouter, parameters: Record<string, string>): Promise<Answer> {
  return answerOf(await fetch(`${url}?${new URLSearchParams(parameters).toString()}`));
}
