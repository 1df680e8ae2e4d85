import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** From here on the system gives ports to whoever asks for any, and to each connection. */
const FIRST_OF_THE_SYSTEM = 32_768;

/** On 127.0.0.1, for a server that goes away and comes back: nobody is given its port meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, FIRST_OF_THE_SYSTEM);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
