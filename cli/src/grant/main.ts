import { createDb } from '@timbre/db/client';
import { tellQuota } from '@timbre/platform/bus/tell-quota';
import { envFields, parseEnv } from '@timbre/platform/env';
import { createLogger } from '@timbre/platform/logger';
import { openBus } from '@timbre/platform/services';
import { CommandError, runCommand } from '../run-command.ts';
import { startEnv } from '../start/env.ts';
import { readRunFile } from '../start/run-file.ts';
import { grantTo, type GrantOutcome } from './grant-to.ts';

/** Far above any plan, and far below what the ledger's integers hold. */
const MAX_CREDITS = 1_000_000_000;

await runCommand({
  usage: `npm run grant -- --email E [--plan P] [--credits N]

Puts a user on a plan and gives credits, on the system that runs on DATA_DIR, or on DATABASE_URL where that is set.

  --email E     whose account; made now if they have never signed in
  --plan P      free, basic, premium or enterprise; stays as it is unless given
  --credits N   on top of the plan's, until the current period ends`,
  options: { email: { type: 'string' }, plan: { type: 'string' }, credits: { type: 'string' } },
  run: async ({ email, plan, credits }) => {
    if (email === undefined || !/^[^\s@]+@[^\s@]+$/.test(email))
      throw new CommandError('Say whose: --email you@example.com', 2);
    if (plan === undefined && credits === undefined)
      throw new CommandError('Say what: --plan P, --credits N, or both.', 2);
    const amount = Number(credits ?? 0);
    if (!/^\d*$/.test(credits ?? '') || credits === '' || amount > MAX_CREDITS) {
      throw new CommandError(`--credits ${credits}: a whole number from 0 to ${MAX_CREDITS.toLocaleString('en')}`, 2);
    }
    const env = parseEnv(startEnv.extend({ REDIS_URL: envFields.redisUrl.optional() }), process.env);
    const url = env.DATABASE_URL ?? readRunFile(env.DATA_DIR)?.databaseUrl;
    if (url === undefined) {
      throw new CommandError(`Nothing runs on ${env.DATA_DIR}. Start it with npm start, or set DATABASE_URL.`);
    }
    const database = createDb(url, { max: 2, name: 'timbre-grant' });
    const bus = await openBus(
      { DATABASE_URL: url, REDIS_URL: env.REDIS_URL },
      { log: createLogger({ name: 'grant', level: 'silent' }) },
    );
    try {
      const outcome = await grantTo(database.db, {
        email,
        credits: amount,
        devIssuer: env.AUTH_ISSUER === undefined,
        ...(plan === undefined ? {} : { plan }),
      });
      await tellQuota(bus, outcome.userId);
      console.log(describe(email, outcome));
    } finally {
      await bus.close();
      await database.close();
    }
  },
});

function describe(email: string, { userId, created, before, after }: GrantOutcome): string {
  const change = (what: string, from: string, to: string) =>
    `  ${what.padEnd(10)} ${from === to ? `${to} (unchanged)` : `${from} → ${to}`}`;
  const credits = ({ quota }: GrantOutcome['after']) => `${number(quota.available)} of ${number(quota.limit)}`;
  return [
    `${email} (${userId})${created ? ', who had not signed in yet' : ''}`,
    change('plan', before.plan.tier.toLowerCase(), after.plan.tier.toLowerCase()),
    change('available', credits(before), credits(after)),
    `  ${'until'.padEnd(10)} ${after.quota.resetsAt.toISOString().slice(0, 10)}`,
  ].join('\n');
}

function number(value: number): string {
  return value.toLocaleString('en');
}
