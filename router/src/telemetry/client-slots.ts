import type { ClientIdentity } from '../transports/client-identity.ts';
import { NONE, OTHER } from './bounded-names.ts';

/** A client and its version, as labels. */
export interface ClientLabels {
  name: string;
  version: string;
}

/** Small numbers for clients and their versions: the first so many, one for all others and one for those without a name. */
export interface ClientSlots {
  slotOf(client: ClientIdentity): number;
  at(slot: number): ClientLabels;
}

const MAX_CLIENTS = 100;
const MAX_LENGTH = 128;
const UNNAMED = 0;
const REST = 1;

export function createClientSlots(): ClientSlots {
  const labels: ClientLabels[] = [
    { name: NONE, version: NONE },
    { name: OTHER, version: OTHER },
  ];
  const known = new Map<string, Map<string, number>>();
  return {
    slotOf({ name, version }) {
      if (name === null && version === null) return UNNAMED;
      const label = { name: name ?? NONE, version: version ?? NONE };
      const slot = known.get(label.name)?.get(label.version);
      if (slot !== undefined) return slot;
      if (labels.length >= MAX_CLIENTS + 2 || label.name.length > MAX_LENGTH || label.version.length > MAX_LENGTH) {
        return REST;
      }
      const versions = known.get(label.name) ?? new Map<string, number>();
      known.set(label.name, versions);
      const given = labels.push(label) - 1;
      versions.set(label.version, given);
      return given;
    },
    at: (slot) => labels[slot] ?? { name: OTHER, version: OTHER },
  };
}
