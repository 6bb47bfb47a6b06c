import type { RunConfig } from './config.js';
import type { FitOptions } from './fit.js';
import { makeSchedule } from './recipes.js';

/** What the configuration of a run says to `fit`. */
export function fitSettings(config: RunConfig) {
  const { batchSize, epochs, seed, penaltyWeight, freezeNorms, limitBatches } = config;
  const schedule = makeSchedule(config.schedule, epochs);
  const limits = { freezeNorms: freezeNorms ?? null, limitBatches: limitBatches ?? null };
  return { schedule, batchSize, epochs, seed, penaltyWeight, ...limits } satisfies Partial<FitOptions>;
}
