import { runService } from '@timbre/platform/process';
import { z } from 'zod';
import { checkSettings } from './check-settings.ts';
import { configurationSchema } from './configuration/router-configuration.ts';
import { parseSettings, USAGE } from './env.ts';
import { startRouter } from './start-router.ts';

await runService(async (source) => {
  const settings = parseSettings(process.argv.slice(2), source);
  if (settings === 'help') {
    console.log(USAGE);
    process.exit(0);
  }
  if (settings === 'config-schema') {
    console.log(JSON.stringify(z.toJSONSchema(configurationSchema), null, 2));
    process.exit(0);
  }
  if (settings.check) {
    console.log(await checkSettings(settings, source));
    process.exit(0);
  }
  return startRouter(settings, source);
});
