/** A process that owns an engine, for the test that kills it. */
import { createLogger } from '@timbre/platform/logger';

import { createLocalEngine } from '../local-engine.ts';

const engine = await createLocalEngine({ log: createLogger({ name: 'owner', level: 'silent' }) });
process.send?.(engine?.pids() ?? []);
// Stays until it is killed.
setInterval(() => undefined, 60_000);
