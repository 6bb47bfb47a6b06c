import { type Command, Option } from 'commander';
import { METHODS, type Method } from '../quant/policy.js';
import type {
  DataShape,
  DatasetConfig,
  OptimizerConfig,
  RunConfig,
  ScheduleConfig,
  StartConfig,
} from '../train/config.js';
import { DATASET_NAMES, type DatasetName, MODEL_NAMES, type ModelName } from '../train/names.js';
import { recipeFor } from '../train/recipes.js';
import { parseSchedule } from './scheduleFlag.js';
import { decimal, integer, UsageError } from './usage.js';

/** What `a2q train` takes to describe a run. */
export interface TrainFlags {
  readonly model?: ModelName;
  readonly dataset?: DatasetName;
  readonly factor?: number;
  readonly imageSize?: number;
  readonly trainImages?: number;
  readonly method?: Method;
  readonly weightBits?: number;
  readonly actBits?: number;
  readonly accBits?: number;
  readonly statsSteps?: number;
  readonly optimizer?: OptimizerConfig['type'];
  readonly lr?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly schedule?: ScheduleConfig;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly penalty?: number;
  readonly freezeNorms?: number;
  readonly seed?: number;
  readonly limitBatches?: number;
  readonly initFrom?: string;
  readonly heInit?: boolean;
  readonly epInit?: boolean;
  readonly reestimationImages?: number;
  readonly calibrationImages?: number;
  readonly biasCorrection?: boolean;
}

const DEFAULT_BITS = 4;
const DEFAULT_STATS_STEPS = 300;
const DEFAULT_PENALTY = 1e-3;

/** Adds the options that describe a run; what is not given is taken from the recipe of model and dataset. */
export function addTrainOptions(command: Command): Command {
  return command
    .addOption(new Option('--model <name>', 'what to train').choices(MODEL_NAMES))
    .addOption(new Option('--dataset <name>', 'what to train on').choices(DATASET_NAMES))
    .addOption(new Option('--method <name>', 'how weights become integers').choices(METHODS))
    .option('--weight-bits <M>', `bits of hidden weights (default: ${DEFAULT_BITS})`, integer(2, 16))
    .option('--act-bits <N>', `bits of hidden activations (default: ${DEFAULT_BITS})`, integer(1, 16))
    .option('--acc-bits <P>', 'bits of the accumulators of hidden layers', integer(2, 32))
    .option('--stats-steps <n>', `steps before thresholds are learned (default: ${DEFAULT_STATS_STEPS})`, integer(0))
    .option('--factor <r>', 'up-scaling factor of super-resolution (default: 3)', integer(2, 8))
    .option('--image-size <pixels>', 'side of the inputs from a folder of images (default: 32)', integer(8, 1024))
    .option('--train-images <n>', 'keep the first n training images', integer(1))
    .addOption(new Option('--optimizer <name>', 'how to step').choices(['sgd', 'adam', 'adamw']))
    .option('--lr <rate>', 'learning rate', decimal(0, { above: true }))
    .option('--momentum <share>', 'of SGD, 0 up to 1', decimal(0, { high: 0.9999 }))
    .option('--weight-decay <share>', 'pull of weights toward zero', decimal(0))
    .option('--schedule <spec>', 'constant, cosine, exponential:G, step:N:G or multistep:N,N:G', parseSchedule)
    .option('--epochs <n>', 'times through the training images', integer(1))
    .option('--batch-size <n>', 'images a step', integer(1))
    .option('--penalty <weight>', `weight λ of the norm penalty (default: ${DEFAULT_PENALTY})`, decimal(0))
    .option('--freeze-norms <n>', 'batch norms keep their running statistics after n epochs', integer(0))
    .option('--seed <n>', 'seeds weights, order and augmentation (default: 0)', integer(0))
    .option('--limit-batches <n>', 'cut epochs and evaluations to n batches', integer(1))
    .option('--init-from <path>', 'start from a float checkpoint: a safetensors file or a run’s folder')
    .option('--he-init', 'draw first weights by He’s rule')
    .option('--no-he-init', 'draw first weights as PyTorch does')
    .option('--ep-init', 'project first weights onto the l1 ball of the accumulator (default for a2q and a2q+)')
    .option('--no-ep-init', 'leave first weights as they are')
    .option('--reestimation-images <n>', 'images to re-estimate batch norms by; 0 for none (default: 0)', integer(0))
    .option('--calibration-images <n>', 'images to set activation thresholds by; 0 for none', integer(0))
    .option('--bias-correction', 'correct biases after calibration (default)')
    .option('--no-bias-correction', 'leave biases as they are');
}

/** Which data are meant. @throws UsageError if a flag is missing, or belongs to other data */
export function datasetConfig(flags: TrainFlags, saved: DatasetConfig | null): DatasetConfig {
  const name = flags.dataset ?? saved?.name;
  if (name === undefined) throw new UsageError('--dataset is missing');
  refuseUnless(flags.factor === undefined || name === 'bsd300', '--factor', 'is for --dataset bsd300 only');
  refuseUnless(flags.imageSize === undefined || name === 'folder', '--image-size', 'is for --dataset folder only');
  return {
    name,
    factor: name === 'bsd300' ? (flags.factor ?? saved?.factor ?? 3) : null,
    size: name === 'folder' ? (flags.imageSize ?? saved?.size ?? 32) : null,
    limit: flags.trainImages ?? saved?.limit ?? null,
  };
}

/**
 * The configuration of a run: flags first, then what was saved (when resuming), then the recipe.
 * @throws UsageError if a flag is missing or has no meaning for the method
 */
export function runConfig(
  flags: TrainFlags,
  saved: RunConfig | null,
  data: { readonly dataset: DatasetConfig; readonly shape: DataShape },
  backend: string,
): RunConfig {
  const model = flags.model ?? saved?.model;
  const method = flags.method ?? saved?.method;
  if (model === undefined) throw new UsageError('--model is missing');
  if (method === undefined) throw new UsageError('--method is missing');
  const initFrom = flags.initFrom ?? saved?.start.initFrom ?? null;
  const base = saved ?? recipeFor(model, data.dataset.name, initFrom !== null);
  return {
    format: 'a2q-run',
    version: 1,
    model,
    ...data,
    method,
    ...bits(flags, method, saved),
    collectStatsSteps: flags.statsSteps ?? saved?.collectStatsSteps ?? DEFAULT_STATS_STEPS,
    optimizer: optimizer(flags, base.optimizer),
    schedule: flags.schedule ?? base.schedule,
    epochs: flags.epochs ?? base.epochs,
    batchSize: flags.batchSize ?? base.batchSize,
    penaltyWeight: flags.penalty ?? saved?.penaltyWeight ?? DEFAULT_PENALTY,
    freezeNorms: flags.freezeNorms ?? saved?.freezeNorms ?? null,
    seed: flags.seed ?? saved?.seed ?? 0,
    limitBatches: flags.limitBatches ?? saved?.limitBatches ?? null,
    start: start(flags, method, initFrom, saved ? saved.start : recipeFor(model, data.dataset.name, initFrom !== null)),
    backend,
  };
}

function bits(flags: TrainFlags, method: Method, saved: RunConfig | null) {
  const quantized = method !== 'float';
  const constrained = method === 'a2q' || method === 'a2q+';
  refuseUnless(quantized || flags.weightBits === undefined, '--weight-bits', 'has no meaning for --method float');
  refuseUnless(quantized || flags.actBits === undefined, '--act-bits', 'has no meaning for --method float');
  refuseUnless(constrained || flags.accBits === undefined, '--acc-bits', `has no meaning for --method ${method}`);
  const accumulatorBits = flags.accBits ?? saved?.accumulatorBits ?? null;
  refuseUnless(!constrained || accumulatorBits !== null, '--acc-bits', `is missing; --method ${method} needs it`);
  return {
    weightBits: quantized ? (flags.weightBits ?? saved?.weightBits ?? DEFAULT_BITS) : null,
    actBits: quantized ? (flags.actBits ?? saved?.actBits ?? DEFAULT_BITS) : null,
    accumulatorBits,
  };
}

function optimizer(flags: TrainFlags, base: OptimizerConfig): OptimizerConfig {
  const type = flags.optimizer ?? base.type;
  refuseUnless(flags.momentum === undefined || type === 'sgd', '--momentum', 'is for --optimizer sgd only');
  const usual = type === base.type ? base.momentum : type === 'sgd' ? 0.9 : 0;
  return {
    type,
    learningRate: flags.lr ?? base.learningRate,
    momentum: flags.momentum ?? usual,
    weightDecay: flags.weightDecay ?? base.weightDecay,
  };
}

function start(
  flags: TrainFlags,
  method: Method,
  initFrom: string | null,
  base: Pick<StartConfig, 'heInit' | 'calibrationSamples'> & Partial<StartConfig>,
): StartConfig {
  const quantized = method !== 'float';
  const constrained = method === 'a2q' || method === 'a2q+';
  return {
    initFrom,
    heInit: initFrom === null && (flags.heInit ?? base.heInit),
    epInit: constrained && (flags.epInit ?? base.epInit ?? true),
    reestimationSamples: quantized ? (flags.reestimationImages ?? base.reestimationSamples ?? 0) : 0,
    calibrationSamples: quantized ? (flags.calibrationImages ?? base.calibrationSamples) : 0,
    biasCorrection: quantized && (flags.biasCorrection ?? base.biasCorrection ?? true),
  };
}

function refuseUnless(fits: boolean, flag: string, why: string): void {
  if (!fits) throw new UsageError(`${flag} ${why}`);
}

/** The settings that differ between two configurations, `optimizer.learningRate` and the like. */
export function differences(a: unknown, b: unknown, path = ''): string[] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b) ? [] : [path];
  }
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  const keys = new Set([...left.keys(), ...right.keys()]);
  return [...keys].flatMap((key) => differences(left.get(key), right.get(key), path === '' ? key : `${path}.${key}`));
}
