import { runService } from '@timbre/platform/process';
import { parseSettings, USAGE } from './env.ts';
import { startRouter } from './start-router.ts';

await runService(async (source) => {
  const settings = parseSettings(process.argv.slice(2), source);
  if (settings === null) {
    console.log(USAGE);
    process.exit(0);
  }
  return startRouter(settings);
});
