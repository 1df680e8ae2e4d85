import { type EnvSource, parseEnv, serviceEnvShape, type ServiceEnv } from '@timbre/platform/env';
import { z } from 'zod';

/** The same for the subgraph and its worker. @throws EnvError that lists every bad variable. */
export function parseVoicesEnv(source: EnvSource): ServiceEnv {
  return parseEnv(z.object(serviceEnvShape), source);
}
