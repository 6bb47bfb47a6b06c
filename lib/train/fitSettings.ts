import type { RunConfig } from './config.js';
import type { FitOptions } from './fit.js';
import { makeSchedule } from './recipes.js';

/** What the configuration of a run says to `fit`. */
export function fitSettings(config: RunConfig) {
  const { batchSize, epochs, seed, penaltyWeight, freezeNorms, limitBatches } = config;
  const schedule = makeSchedule(config.schedule, epochs);
  return { schedule, batchSize, epochs, seed, penaltyWeight, freezeNorms, limitBatches } satisfies Partial<FitOptions>;
}
