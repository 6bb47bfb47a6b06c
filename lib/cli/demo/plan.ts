import type { Method } from '../../quant/methods.js';
import { parseConfig, type RunConfig } from '../../train/config.js';
import { inspectData, locateData } from '../../train/node/datasets.js';
import { resolveSettings } from '../../train/settings.js';
import { givenSettings } from '../trainFlags.js';

/** Flags of `a2q train`, in camel case. */
export type TrainFlags = Readonly<Record<string, string | number>>;

/** Everything that is decided before the demo starts: what it would tell `a2q train`, run after run. */
export interface DemoPlan {
  /** Seeds weights, order and augmentation; the test images do not depend on it. */
  readonly seed: number;
  /** Every P, widest first. */
  readonly accumulatorBits: readonly number[];
  /** Flags of every run. */
  readonly common: TrainFlags;
  /** Flags of the float network. */
  readonly float: TrainFlags;
  /** Flags of every quantized network, all of which start from the float one. */
  readonly quantized: TrainFlags;
}

/** The demo as `npm start` runs it; what is not said here is said by the recipes of `a2q train`. */
export const FULL_PLAN: DemoPlan = {
  seed: 0,
  accumulatorBits: [11, 10, 9],
  common: { model: 'cnn', dataset: 'glyphs' },
  float: { epochs: 5, lr: 2e-3 },
  quantized: { epochs: 8, reestimationImages: 3000 },
};

/** Every step of the demo in seconds, on so little data that the numbers mean nothing. */
export const QUICK_PLAN: DemoPlan = {
  ...FULL_PLAN,
  accumulatorBits: [12, 9],
  common: { ...FULL_PLAN.common, trainImages: 128, batchSize: 32, limitBatches: 2 },
  float: { epochs: 1, lr: 5e-3 },
  quantized: { epochs: 1, reestimationImages: 64, calibrationImages: 32 },
};

/** Where its commands put the float network; its last epoch, not the one that is best on the test images. */
const FLOAT_RUN = 'runs/float/last.safetensors';

/** What `a2q train` would be told for one network. @param accumulatorBits P; null for none */
export function flagsOf(plan: DemoPlan, method: Method, accumulatorBits: number | null): TrainFlags {
  return {
    ...plan.common,
    method,
    ...(accumulatorBits === null ? {} : { accBits: accumulatorBits }),
    ...(method === 'float' ? plan.float : { initFrom: FLOAT_RUN, ...plan.quantized }),
    ...(plan.seed === 0 ? {} : { seed: plan.seed }),
  };
}

/** The command that trains the same network, to the same bits. */
export function trainCommandOf(plan: DemoPlan, method: Method, accumulatorBits: number | null): string {
  const name = accumulatorBits === null ? `runs/${method}` : `runs/${method}-${accumulatorBits}`;
  const flags = Object.entries({ ...flagsOf(plan, method, accumulatorBits), out: name });
  const dashed = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `a2q train ${flags.map(([key, value]) => `--${dashed(key)} ${value}`).join(' ')}`;
}

/** The configuration `a2q train` would make of the same flags. @param backend its name */
export async function configOf(flags: TrainFlags, backend: string): Promise<RunConfig> {
  const settings = resolveSettings(givenSettings(flags), null);
  const shape = await inspectData(await locateData(settings.dataset, undefined));
  return parseConfig({ format: 'a2q-run', version: 2, ...settings, shape, backend }, 'flags');
}
