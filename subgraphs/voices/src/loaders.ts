import DataLoader from 'dataloader';
import type { Db } from '@timbre/db/client';
import { isId } from '@timbre/platform/ids';
import { findConsents } from './repos/consents.ts';
import { findSamples } from './repos/samples.ts';
import { findVoices } from './repos/voices.ts';
import type { ConsentRow, SampleRow, VoiceRow } from './rows.ts';

export interface Loaders {
  /** Null for what is missing and for what the viewer may not see. */
  voice: DataLoader<string, VoiceRow | null>;
  samples: DataLoader<string, SampleRow[]>;
  consent: DataLoader<string, ConsentRow | null>;
}

export function createLoaders(db: Db, viewerId: string | null): Loaders {
  return {
    voice: new DataLoader(async (ids) => {
      const wellFormed = ids.filter((id) => isId('voi', id));
      const rows = wellFormed.length === 0 ? [] : await findVoices(db, { of: 'viewer', viewerId }, wellFormed);
      const byId = new Map(wellFormed.map((id, index) => [id, rows[index] ?? null]));
      return ids.map((id) => byId.get(id) ?? null);
    }),
    samples: new DataLoader(async (ids) => (viewerId === null ? ids.map(() => []) : findSamples(db, viewerId, ids))),
    consent: new DataLoader(async (ids) => (viewerId === null ? ids.map(() => null) : findConsents(db, viewerId, ids))),
  };
}
