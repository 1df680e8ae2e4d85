import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { serveCommands } from '../graph/control.ts';
import { TransportClient } from '../subscriptions/transport-client.ts';
import { idleReportSchema, loadSettingsSchema } from './load.ts';
import { idleSubscription } from './mix.ts';
import { seededPrincipalSchema } from './seed.ts';

// Websockets with a subscription each on which nothing happens. Argument: settings as JSON.
const settings = loadSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const principals = z.array(seededPrincipalSchema).parse(JSON.parse(readFileSync(settings.principalsFile, 'utf8')));

/** What they ask for at first is work for all, too, and is not what is measured. */
const PER_SECOND = 200;
const KEPT_FAILURES = 3;

const clients: TransportClient[] = [];
const failures: string[] = [];

async function open(): Promise<void> {
  const wanted = principals.flatMap((principal, index) =>
    Array.from({ length: settings.subscriptions[index] ?? 0 }, (_, nth) => ({ principal, nth })),
  );
  const begun = performance.now();
  for (const [index, { principal, nth }] of wanted.entries()) {
    const { query, variables } = idleSubscription(principal, nth);
    const client = new TransportClient({
      url: `${settings.urls[nth % settings.urls.length]?.replace(/^http/, 'ws')}/graphql`,
      localAddress: `127.0.0.${2 + (index % 20)}`,
      token: principal.token,
      query,
      variables,
      onEvent: () => undefined,
      onFailure(reason) {
        if (failures.length < KEPT_FAILURES) failures.push(reason);
      },
    });
    clients.push(client);
    const ahead = (index * 1000) / PER_SECOND - (performance.now() - begun);
    if (ahead > 0) await sleep(ahead);
  }
  await Promise.all(clients.map(({ acknowledged }) => acknowledged));
}

await serveCommands(settings.port, {
  ready: () => null,
  open,
  report: () => idleReportSchema.parse({ open: clients.length, failures }),
});
