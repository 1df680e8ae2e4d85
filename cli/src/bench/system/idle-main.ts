import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { serveCommands } from '../graph/control.ts';
import { TransportClient } from '../subscriptions/transport-client.ts';
import { idleReportSchema, loadSettingsSchema } from './load.ts';
import { idleSubscription } from './mix.ts';
import { seededPrincipalSchema } from './seed.ts';

// Websockets with a subscription each on which nothing happens. Argument: settings as JSON.
const settings = loadSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const principals = z.array(seededPrincipalSchema).parse(JSON.parse(readFileSync(settings.principalsFile, 'utf8')));

const OPENING_AT_ONCE = 20;
const KEPT_FAILURES = 10;

const clients: TransportClient[] = [];
const failures: string[] = [];

async function open(): Promise<void> {
  const wanted = principals.flatMap((principal, index) =>
    Array.from({ length: settings.subscriptions[index] ?? 0 }, (_, nth) => ({ principal, nth })),
  );
  let next = 0;
  const lane = async () => {
    while (next < wanted.length) {
      const { principal, nth } = wanted[next++] ?? {};
      if (principal === undefined || nth === undefined) return;
      const { query, variables } = idleSubscription(principal, nth);
      const client = new TransportClient({
        url: `${settings.urls[nth % settings.urls.length]?.replace(/^http/, 'ws')}/graphql`,
        localAddress: `127.0.0.${2 + (next % 20)}`,
        token: principal.token,
        query,
        variables,
        onEvent: () => undefined,
        onFailure(reason) {
          if (failures.length < KEPT_FAILURES) failures.push(reason);
        },
      });
      clients.push(client);
      await client.acknowledged;
    }
  };
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, lane));
}

await serveCommands(settings.port, {
  ready: () => null,
  open,
  report: () => idleReportSchema.parse({ open: clients.length, failures }),
});
