import { z } from 'zod';
import { datasetSchema } from '../data/node/datasets.js';
import { setting } from '../data/setting.js';
import { ROUNDINGS } from '../deploy/axe/rounding.js';
import type { DataShape } from '../nn/models/entry.js';
import { MODEL_NAMES } from '../nn/models/index.js';
import { METHOD_NAMES, methodsThat } from '../quant/methods.js';
import { PENALTY_WEIGHT } from '../quant/penalty.js';
import { asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { upgradeConfig } from './configVersions.js';
import { formatSchedule, parseSchedule, SCHEDULE_FORMS, scheduleSchema } from './schedules.js';

export type { DatasetConfig } from '../data/node/datasets.js';
export type { DataShape } from '../nn/models/entry.js';
export type { ScheduleConfig } from './schedules.js';

/**
 * Everything needed to build a run's model, data and recipe again: the contents of `config.json`. Whatever is made by
 * `setting` is a flag of `a2q train` as well. The order matters: a setting may depend on those before it.
 */

const count = z.int().min(1);
const whenQuantized = { setting: 'method', is: methodsThat(({ weights }) => weights !== null) };
const whenBounded = { setting: 'method', is: methodsThat(({ needsAccumulatorBits }) => needsAccumulatorBits) };
const whenRounded = { setting: 'method', is: methodsThat(({ afterTraining = false }) => afterTraining) };
const whenProjected = { setting: 'method', is: methodsThat(({ epInit }) => epInit) };
const whenRandom = { setting: 'start.initFrom', is: [] };

const startSchema = z.strictObject({
  initFrom: setting(z.string().min(1), {
    flag: '--init-from <path>',
    about:
      'start from the weights, biases and norms of a checkpoint, float or quantized (quantizers start anew; ' +
      'classes are matched by name): a safetensors file or a run’s folder',
    absent: 'random weights',
  }).exactOptional(),
  heInit: setting(z.boolean(), {
    flag: '--he-init',
    about: 'draw first weights by He’s rule (normal, fan-in)',
    not: 'draw first weights as PyTorch does',
    when: whenRandom,
    otherwise: false,
  }),
  epInit: setting(z.boolean(), {
    flag: '--ep-init',
    about: 'project first weights onto the l1 ball of the accumulator',
    not: 'leave first weights as they are',
    default: true,
    when: whenProjected,
    otherwise: false,
  }),
  reestimationSamples: setting(z.int().min(0), {
    flag: '--reestimation-images <n>',
    about: 'images to re-estimate batch norms by; 0 leaves them as they are',
    default: 0,
    when: whenQuantized,
    otherwise: 0,
  }),
  calibrationSamples: setting(z.int().min(0), {
    flag: '--calibration-images <n>',
    about: 'images to set activation thresholds by; 0 leaves it to the statistics steps',
    when: whenQuantized,
    otherwise: 0,
  }),
  biasCorrection: setting(z.boolean(), {
    flag: '--bias-correction',
    about: 'correct biases after calibration',
    not: 'leave biases as they are',
    default: true,
    when: whenQuantized,
    otherwise: false,
  }),
});
/** How the first weights come about. */
export type StartConfig = z.infer<typeof startSchema>;

const learningRate = setting(z.number().positive(), { flag: '--lr <rate>', about: 'learning rate' });
const weightDecay = setting(z.number().min(0), {
  flag: '--weight-decay <share>',
  about: 'pull toward zero of weights alone, not of biases, norms, scales and thresholds',
});
const momentum = setting(z.number().min(0).lt(1), {
  flag: '--momentum <share>',
  about: 'share of the last step in the next',
  default: 0.9,
});

const optimizerSchema = setting(
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('sgd'), learningRate, momentum, weightDecay }),
    z.strictObject({ type: z.literal('adam'), learningRate, weightDecay }),
    z.strictObject({ type: z.literal('adamw'), learningRate, weightDecay }),
  ]),
  { flag: '--optimizer <name>', about: 'how to step' },
);
export type OptimizerConfig = z.infer<typeof optimizerSchema>;

export const settingsSchema = z.strictObject({
  dataset: datasetSchema,
  module: setting(z.string().min(1), {
    flag: '--module <file>',
    about: 'train a model of your own, which this file exports (docs/train.md)',
    absent: 'the one that --model names',
  }).exactOptional(),
  model: setting(z.enum(MODEL_NAMES), {
    flag: '--model <name>',
    about: 'what to train',
    when: { setting: 'module', is: [] },
  }).exactOptional(),
  method: setting(z.enum(METHOD_NAMES), { flag: '--method <name>', about: 'how weights become integers' }),
  weightBits: setting(z.int().min(2).max(16), {
    flag: '--weight-bits <M>',
    about: 'bits of hidden weights',
    default: 4,
    when: whenQuantized,
  }).exactOptional(),
  actBits: setting(z.int().min(1).max(16), {
    flag: '--act-bits <N>',
    about: 'bits of hidden activations',
    default: 4,
    when: whenQuantized,
  }).exactOptional(),
  accumulatorBits: setting(z.int().min(2).max(32), {
    flag: '--acc-bits <P>',
    about: 'bits of the accumulators of hidden layers',
    when: whenBounded,
  }).exactOptional(),
  powerOfTwoScales: setting(z.boolean(), {
    flag: '--power-of-two-scales',
    about: 'round scales of weights and activations up to powers of two, so that requantization is a shift',
    not: 'leave scales as they are learned',
    absent: 'no',
    when: whenQuantized,
  }).exactOptional(),
  rounding: setting(z.enum(ROUNDINGS), {
    flag: '--rounding <order>',
    about: 'how the error of rounding a weight is made up for by those after it',
    default: 'gpfq',
    when: whenRounded,
  }).exactOptional(),
  scaleSearch: setting(z.boolean(), {
    flag: '--scale-search',
    about: 'choose the scale of each channel by its error on the calibration images',
    not: 'take scales from the largest weight of each channel',
    default: true,
    when: whenRounded,
  }).exactOptional(),
  tile: setting(count, {
    flag: '--tile <T>',
    about: 'terms that one accumulator sums before a wider one takes its sum',
    absent: 'all of them',
    when: { setting: 'method', is: ['axe'] },
  }).exactOptional(),
  collectStatsSteps: setting(z.int().min(0), {
    flag: '--stats-steps <n>',
    about: 'steps before activation thresholds are learned',
    default: 300,
  }),
  start: startSchema,
  optimizer: optimizerSchema,
  schedule: setting(scheduleSchema, {
    flag: '--schedule <spec>',
    about: `course of the learning rate: ${SCHEDULE_FORMS}`,
    parse: parseSchedule,
    format: formatSchedule,
  }),
  epochs: setting(count, { flag: '--epochs <n>', about: 'times through the training images' }),
  batchSize: setting(count, { flag: '--batch-size <n>', about: 'images a step' }),
  penaltyWeight: setting(z.number().min(0), {
    flag: '--penalty <weight>',
    about: 'weight λ of the norm penalty',
    default: PENALTY_WEIGHT,
  }),
  freezeNorms: setting(z.int().min(0), {
    flag: '--freeze-norms <n>',
    about: 'batch norms keep their running statistics after n epochs',
    absent: 'never',
  }).exactOptional(),
  seed: setting(z.int().min(0), { flag: '--seed <n>', about: 'seeds weights, order and augmentation', default: 0 }),
  limitBatches: setting(count, {
    flag: '--limit-batches <n>',
    about: 'cut epochs and evaluations to n batches',
    absent: 'all',
  }).exactOptional(),
  valShare: setting(z.number().positive().lt(1), {
    flag: '--val-share <share>',
    about: 'share of the training images, of every class, to choose the best epoch by in place of the test images',
    absent: 'none, the test images choose it',
  }).exactOptional(),
  checkpointEvery: setting(count, {
    flag: '--checkpoint-every <n>',
    about: 'steps after which a checkpoint is written within an epoch',
    absent: 'at the end of epochs alone',
  }).exactOptional(),
});
/** What can be chosen about a run. */
export type RunSettings = z.infer<typeof settingsSchema>;

/** No data set has longer sides: a model must not be made, nor run, for what only its file claims. */
const side = count.max(1024);
const facts = { inputShape: z.tuple([side, side, side]).readonly(), signed: z.boolean() };
const shapeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('labels'), ...facts, classes: count }),
  z.strictObject({ kind: z.literal('images'), ...facts, factor: count.max(8) }),
]) satisfies z.ZodType<DataShape>;

const originSchema = z.strictObject({
  /** Of a2q.js. */
  version: z.string(),
  engine: z.string(),
  simd: z.string().exactOptional(),
  winograd: z.string().exactOptional(),
  /** Fingerprints of the files of the two halves. */
  data: z.strictObject({ train: z.string(), test: z.string() }).exactOptional(),
});
/** What the last bits of a run depend on beside its settings and its backend. */
export type Origin = z.infer<typeof originSchema>;

const changeSchema = z.strictObject({
  /** Steps that had been taken. */
  step: z.int().min(0),
  setting: z.string(),
  from: z.json(),
  to: z.json(),
});

const runSchema = z.strictObject({
  format: z.literal('a2q-run'),
  version: z.literal(2),
  ...settingsSchema.shape,
  /** What the data are, as far as the model must know. */
  shape: shapeSchema,
  /** The names of the classes, in the order of the model's outputs. */
  classNames: z.array(z.string()).readonly().exactOptional(),
  /** The backend the run is on; another gives other last bits. */
  backend: z.string(),
  origin: originSchema.exactOptional(),
  /** Where the data are, relative to the run's folder. */
  dataDir: z.string().exactOptional(),
  /** The same as an absolute path, for when the run has been moved. */
  dataPath: z.string().exactOptional(),
  /** Settings that were changed when the run was gone on with. */
  history: z.array(changeSchema).readonly().exactOptional(),
});
export type RunConfig = z.infer<typeof runSchema>;

/** Checks what was chosen. @throws DataError naming every field that is wrong */
export function parseSettings(value: unknown, source: string): RunSettings {
  return check(settingsSchema, value, source);
}

/** Checks a configuration, whatever it came from, and brings an older one up to date. @throws as `parseSettings` */
export function parseConfig(value: unknown, source: string): RunConfig {
  return check(runSchema, upgradeConfig(value, source), source);
}

function check<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new DataError('config', `${source}: ${problemsOf(result.error)}`);
}

/**
 * What a caller hands over as a configuration, as it is.
 * @param fields those that matter; default all
 * @throws ArgumentError if it is no object; DataError naming every field that is wrong
 */
export function checkedConfig<T extends Partial<RunConfig>>(
  op: string,
  config: T,
  fields: readonly (keyof RunConfig)[] = Object.keys(runSchema.shape) as (keyof RunConfig)[],
): T {
  asOptions(op, config, 'the configuration');
  const { shape } = runSchema;
  check(z.object(Object.fromEntries(fields.map((field) => [field, shape[field]]))), config, op);
  return config;
}

/** What is wrong with a value, field by field. */
function problemsOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`).join('; ');
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

/** What `config.json` may hold, as a JSON Schema. */
export function configJsonSchema(): object {
  return z.toJSONSchema(runSchema, { io: 'input' });
}
