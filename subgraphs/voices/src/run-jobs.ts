import { cleanVoice } from './cleanup.ts';
import { fail, fitVoice, type FittingResources } from './fitting.ts';
import { GIVEN_UP } from './fitting/failure.ts';
import { makeLibraryPreviews } from './fitting/library-previews.ts';
import { upsertLibrary } from './library.ts';
import { announceLibrary } from './services/resources.ts';
import { sweepVoices } from './sweep.ts';

export interface RunningJobs {
  /** Lets what runs come to its end for ten seconds, then hands it back to the queue. */
  close(): Promise<void>;
}

const TIDY_MS = 10 * 60 * 1000;
const GRACE_MS = 10_000;

/** Everything that this domain does while nobody waits for it. `resources.jobs` is started and stopped here. */
export async function runJobs(resources: FittingResources): Promise<RunningJobs> {
  const { db, jobs, bus, engine, log } = resources;
  const stopping = new AbortController();
  await jobs.start();
  // One person's many clones must not keep the others waiting.
  await jobs.work('voices.fit', { concurrency: 2, groupConcurrency: 1 }, (job) => fitVoice(resources, job));
  await jobs.work('voices.fit.dead', {}, ({ data }) => fail(resources, data.voiceId, GIVEN_UP));
  await jobs.work('voices.clean', { concurrency: 2 }, ({ data }) => cleanVoice(resources, data));
  await jobs.work('voices.clean.dead', {}, ({ data }) => cleanVoice(resources, data));

  // Other processes may be doing the same: all of it is harmless to do twice.
  async function tidy(): Promise<void> {
    if (await upsertLibrary(db)) await announceLibrary(bus);
    await sweepVoices(resources);
    if (engine !== null) await makeLibraryPreviews({ ...resources, engine }, stopping.signal);
  }
  let tidying = Promise.resolve();
  const tidyNext = () => {
    tidying = tidying.then(tidy).catch((error: unknown) => log.warn({ err: error }, 'tidying up failed'));
  };
  tidyNext();
  const timer = setInterval(tidyNext, TIDY_MS);

  return {
    async close() {
      clearInterval(timer);
      stopping.abort();
      await jobs.stop({ graceMs: GRACE_MS });
      await tidying;
    },
  };
}
