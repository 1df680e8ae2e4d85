import { cleanVoice } from './cleanup.ts';
import { fail, fitVoice, type FittingResources } from './fitting.ts';
import { GIVEN_UP } from './fitting/failure.ts';
import { makeLibraryPreviews } from './fitting/library-previews.ts';
import { upsertLibrary } from './library.ts';
import { sweepVoices } from './sweep.ts';

export interface RunningJobs {
  /** Lets what runs come to its end for ten seconds, then hands it back to the queue. */
  close(): Promise<void>;
}

const SWEEP_MS = 10 * 60 * 1000;
const GRACE_MS = 10_000;

/** Everything that this domain does while nobody waits for it. `resources.jobs` is started and stopped here. */
export async function runJobs(resources: FittingResources): Promise<RunningJobs> {
  const { db, jobs, engine, log } = resources;
  const stopping = new AbortController();
  await jobs.start();
  // One person's many clones must not keep the others waiting.
  await jobs.work('voices.fit', { concurrency: 2, groupConcurrency: 1 }, (job) => fitVoice(resources, job));
  await jobs.work('voices.fit.dead', {}, ({ data }) => fail(resources, data.voiceId, GIVEN_UP));
  await jobs.work('voices.clean', { concurrency: 2 }, ({ data }) => cleanVoice(resources, data));
  await jobs.work('voices.clean.dead', {}, ({ data }) => cleanVoice(resources, data));

  // Before the first sweep is due, other processes may be doing the same: both are harmless to do twice.
  await upsertLibrary(db);
  const previews = engine === null ? null : makeLibraryPreviews({ ...resources, engine }, stopping.signal);
  const sweep = () => sweepVoices(resources).catch((error: unknown) => log.warn({ err: error }, 'sweep failed'));
  let sweeping = sweep();
  const timer = setInterval(() => {
    sweeping = sweeping.then(sweep);
  }, SWEEP_MS);

  return {
    async close() {
      clearInterval(timer);
      stopping.abort();
      await jobs.stop({ graceMs: GRACE_MS });
      await Promise.allSettled([previews, sweeping]);
    },
  };
}
