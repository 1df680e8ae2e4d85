import type { Db } from '@timbre/db/client';
import type { Jobs } from '@timbre/db/jobs';
import type { Bus } from '@timbre/platform/bus/bus';
import type { Logger } from '@timbre/platform/logger';
import type { ObjectStore } from '@timbre/platform/storage/object-store';
import type { SpeechModel } from '@timbre/speech/engine';

/** What the services are made of; one set per process. */
export interface Deps {
  db: Db;
  jobs: Jobs;
  bus: Bus;
  store: ObjectStore;
  /** What can be spoken with now; empty where no engine is installed. */
  models: () => readonly SpeechModel[];
  log: Logger;
}
