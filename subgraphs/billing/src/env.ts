import { type EnvSource, parseEnv, type ServiceEnv, serviceEnvShape } from '@timbre/platform/env';
import { z } from 'zod';

/** @throws EnvError that lists every bad variable. */
export function parseBillingEnv(source: EnvSource): ServiceEnv {
  return parseEnv(z.object(serviceEnvShape), source);
}
