import { expect, test } from 'vitest';
import { Channels } from './channels.ts';

test('a subscriber gets what its channel emits, what came before it asked included', async () => {
  const channels = new Channels<string>();
  const stream = channels.subscribe(1);
  channels.emit(1, 'a');
  channels.emit(2, 'of another');
  channels.emitToAll('b');
  expect([(await stream.next()).value, (await stream.next()).value]).toEqual(['a', 'b']);
  const pending = stream.next();
  channels.emit(1, 'c');
  expect((await pending).value).toBe('c');
});

test('a subscription that ends is counted no more, and nobody waits on it', async () => {
  const channels = new Channels<string>();
  const stream = channels.subscribe(1);
  const other = channels.subscribe(1);
  expect(channels.subscriptions).toBe(2);
  const pending = stream.next();
  await stream.return?.();
  await stream.return?.();
  expect(await pending).toEqual({ value: undefined, done: true });
  expect(channels.subscriptions).toBe(1);
  channels.emit(1, 'a');
  expect((await other.next()).value).toBe('a');
});
