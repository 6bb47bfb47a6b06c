import { z } from 'zod';
import { METHODS } from '../quant/policy.js';
import { DataError } from '../tensor/errors.js';
import { DATASET_NAMES, MODEL_NAMES } from './names.js';

/** Everything needed to build a run's model, data and recipe again: the contents of `config.json`. */

const count = z.int().min(1);
const fraction = z.number().min(0).max(1);

const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant') }),
  /** × gamma each epoch. */
  z.strictObject({ kind: z.literal('exponential'), gamma: fraction }),
  /** × gamma each `stepSize` epochs. */
  z.strictObject({ kind: z.literal('step'), stepSize: count, gamma: fraction }),
  /** × gamma at each of the milestones, in epochs. */
  z.strictObject({ kind: z.literal('multistep'), milestones: z.array(count).min(1), gamma: fraction }),
  /** Half a cosine over all epochs, down to 0. */
  z.strictObject({ kind: z.literal('cosine') }),
]);
/** How the learning rate goes from epoch to epoch. */
export type ScheduleConfig = z.infer<typeof scheduleSchema>;

const optimizerSchema = z.strictObject({
  type: z.enum(['sgd', 'adam', 'adamw']),
  learningRate: z.number().positive(),
  /** Of SGD; the others ignore it. */
  momentum: z.number().min(0).lt(1),
  /** Applies to weights only, never to biases, norms, scales and thresholds. */
  weightDecay: z.number().min(0),
});
export type OptimizerConfig = z.infer<typeof optimizerSchema>;

const datasetSchema = z.strictObject({
  name: z.enum(DATASET_NAMES),
  /** Up-scaling factor of image pairs; null for labelled images. */
  factor: z.int().min(2).max(8).nullable(),
  /** Side of the inputs of a folder of images, pixels; null where the dataset decides. */
  size: z.int().min(8).max(1024).nullable(),
  /** Keep the first so many training images; null for all. */
  limit: count.nullable(),
});
export type DatasetConfig = z.infer<typeof datasetSchema>;

const shapeSchema = z.strictObject({
  /** [channels, height, width] of an input. */
  inputShape: z.tuple([count, count, count]),
  /** Whether inputs can be negative. */
  signed: z.boolean(),
  /** Number of classes, or null for image pairs. */
  classes: count.nullable(),
  /** Up-scaling factor, or null for labelled images. */
  factor: count.nullable(),
});
/** What a model must know of its data. */
export type DataShape = z.infer<typeof shapeSchema>;

const startSchema = z.strictObject({
  /** File of a float checkpoint to start from; null for random weights. */
  initFrom: z.string().min(1).nullable(),
  /** Draw random weights by He's rule (normal, fan-in) instead of PyTorch's default. */
  heInit: z.boolean(),
  epInit: z.boolean(),
  /** Training images batch norms are re-estimated on; 0 leaves them as they are. */
  reestimationSamples: z.int().min(0).default(0),
  /** Training images activations are calibrated on; 0 leaves it to the statistics phase. */
  calibrationSamples: z.int().min(0),
  biasCorrection: z.boolean(),
});
/** How the first weights come about. */
export type StartConfig = z.infer<typeof startSchema>;

const runSchema = z.strictObject({
  format: z.literal('a2q-run'),
  version: z.literal(1),
  model: z.enum(MODEL_NAMES),
  dataset: datasetSchema,
  shape: shapeSchema,
  method: z.enum(METHODS),
  /** M and N of the hidden layers, P of their accumulators; null where the method has none. */
  weightBits: z.int().min(2).max(16).nullable(),
  actBits: z.int().min(1).max(16).nullable(),
  accumulatorBits: z.int().min(2).max(32).nullable(),
  /** Training calls before activation thresholds are learned. */
  collectStatsSteps: z.int().min(0),
  optimizer: optimizerSchema,
  schedule: scheduleSchema,
  epochs: count,
  batchSize: count,
  /** λ of the regulariser. */
  penaltyWeight: z.number().min(0),
  seed: z.int(),
  /** Epochs after which batch norms keep their running statistics; null for never. */
  freezeNorms: z.int().min(0).nullable().default(null),
  /** Batches an epoch (and an evaluation) is cut to; null for all. */
  limitBatches: count.nullable(),
  start: startSchema,
  /** The backend the run began on; another gives other last bits. */
  backend: z.string(),
});
export type RunConfig = z.infer<typeof runSchema>;

/** Checks a configuration, whatever it came from. @throws DataError naming every field that is wrong */
export function parseConfig(value: unknown, source: string): RunConfig {
  const result = runSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`);
  throw new DataError('config', `${source}: ${problems.join('; ')}`);
}

/** `parseConfig` of JSON text. */
export function parseConfigText(text: string, source: string): RunConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DataError('config', `${source} is not JSON`);
  }
  return parseConfig(value, source);
}
