import { setTimeout as sleep } from 'node:timers/promises';
import { freeRun } from '../free-run.ts';
import { connectInspector, type Inspector } from '../inspector.ts';

/** Where Node listens after SIGUSR1. */
const FIRST_PORT = 9229;
const ATTEMPTS = 100;

/** The inspector of a Node process that was started without one; of several processes one after the other. */
export async function attachInspector(pid: number): Promise<Inspector> {
  process.kill(pid, 'SIGUSR1');
  const port = await freeRun(1);
  const first = await patiently(FIRST_PORT);
  // Makes room for the next process.
  await first.evaluate(
    `setTimeout(() => { process._debugEnd(); process.getBuiltinModule('inspector').open(${port}, '127.0.0.1'); }, 10)`,
  );
  first.close();
  return patiently(port);
}

async function patiently(port: number): Promise<Inspector> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectInspector(port);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await sleep(50);
    }
  }
}
