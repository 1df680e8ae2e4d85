import type { Bus } from '../bus/bus.ts';
import { channels } from '../bus/hints.ts';
import { invalidationMessageSchema } from '../cache/invalidation.ts';

/** What routers would hear of changes. */
export interface HeardInvalidations {
  /** In short, as `Voice voi_1` or `User usr_1 billing`, since the last `forget`. */
  all: () => readonly string[];
  forget: () => void;
}

/** Listens for what tells routers that something has changed, until the bus is closed. */
export async function hearInvalidations(bus: Bus): Promise<HeardInvalidations> {
  const heard: string[] = [];
  await bus.subscribe(channels.cacheInvalidations, (payload) => {
    for (const told of invalidationMessageSchema.parse(JSON.parse(payload)).invalidations) {
      if (told.kind === 'entity') heard.push(named(told.type, String(told.key['id']), told.subgraph));
      if (told.kind === 'type') heard.push(named(told.type, '*', told.subgraph));
    }
  });
  return {
    all: () => heard,
    forget() {
      heard.length = 0;
    },
  };
}

function named(type: string, id: string, subgraph: string | undefined): string {
  return [type, id, ...(subgraph === undefined ? [] : [subgraph])].join(' ');
}
