import type { RouterSettings } from '../env.ts';
import type { RouterOptions } from '../router-options.ts';
import { SANDBOX_ORIGINS } from '../transports/http/cors.ts';
import { optionsOf } from './options-of.ts';
import type { RouterConfiguration } from './router-configuration.ts';

/** What the configuration and the flags say. In development everybody may look at Timbre's own graph. */
export function policiesOf(configuration: RouterConfiguration, settings: RouterSettings): Partial<RouterOptions> {
  const options = withFlags(optionsOf(configuration), settings);
  const isOpen = settings.profile === 'timbre' && !settings.production;
  return isOpen ? { ...options, mayIntrospect: () => true } : options;
}

/** Flags go before what the configuration says. */
function withFlags(options: Partial<RouterOptions>, settings: RouterSettings): Partial<RouterOptions> {
  const { maxCost, maxDepth, maxAliases } = settings;
  const limits = { ...options.limits };
  if (maxDepth !== null) limits.maxDepth = maxDepth;
  if (maxAliases !== null) limits.maxAliases = maxAliases;
  const { demand = null } = options;
  const most = maxCost === null ? demand : { ...demand, mode: 'enforce' as const, maximum: { default: maxCost } };
  return { ...options, limits, demand: most, cors: { ...options.cors, origins: corsOrigins(options, settings) } };
}

/** Sandbox is a page of Apollo's: it may use what is open anyway, and what runs on a developer's machine. */
function corsOrigins({ cors }: Partial<RouterOptions>, settings: RouterSettings): readonly string[] {
  if (settings.profile === 'open') return cors?.origins ?? SANDBOX_ORIGINS;
  const origins = [...(cors?.origins ?? []), ...settings.corsOrigins];
  return settings.production ? origins : [...origins, ...SANDBOX_ORIGINS];
}
