import { batchCount } from '../../data/batches.js';
import { release } from '../../data/batchSource.js';
import { currentBackend } from '../../kernels/registry.js';
import { WeightedModule } from '../../nn/layers/weighted.js';
import type { Module } from '../../nn/module.js';
import type { RunConfig } from '../../train/config.js';
import { buildModel } from '../../train/models.js';
import { locateData } from '../../train/node/datasets.js';
import { type Halves, openHalves } from '../../train/node/openBatches.js';
import { type NamedState, prepareModel } from '../../train/prepare.js';
import { configOf, type DemoPlan, flagsOf } from './plan.js';
import { type QuantizedNetwork, trainQuantized } from './quantizedNetwork.js';
import { testAccuracy, trainModel, type WorkEvents } from './training.js';

/** The float network everything starts from. */
export interface FloatNetwork {
  /** Test accuracy 0 … 1. */
  readonly accuracy: number;
  /** Share of exact zeros among the hidden weights. */
  readonly sparsity: number;
  /** Loss of each step. */
  readonly losses: readonly number[];
}

/** The settings all networks of a demo share, and how many images there were. */
export interface DemoSettings {
  readonly float: RunConfig;
  /** Those of QAT; the others differ in method and P alone. */
  readonly quantized: RunConfig;
  /** Images in an epoch, each drawn anew. */
  readonly trainImages: number;
  /** Images held out to measure accuracy. */
  readonly testImages: number;
}

/** All the demo found out. */
export interface DemoResults {
  readonly plan: DemoPlan;
  readonly settings: DemoSettings;
  readonly float: FloatNetwork;
  /** QAT, then A2Q and A2Q+ for every P, widest first. */
  readonly networks: readonly QuantizedNetwork[];
}

/** Whom to tell how the demo gets on. */
export interface DemoEvents {
  /** The data are open. @param work all there is to do, in steps of training and batches of tests */
  onStart?(work: number): void;
  /** A network is begun: its method and P (null for none). */
  onBegin?(method: RunConfig['method'], accumulatorBits: number | null): void;
  /** Work done so far. */
  onWork?(done: number, note: string): void;
  onFloat?(float: FloatNetwork): void;
  onQuantized?(network: QuantizedNetwork): void;
  readonly signal?: AbortSignal;
}

/**
 * The demo: a float network on glyphs; from it QAT, A2Q and A2Q+ for every P, tested as trained and on P-bit registers.
 *
 * @throws the signal's reason if it is aborted
 */
export async function runDemo(plan: DemoPlan, events: DemoEvents = {}): Promise<DemoResults> {
  const { name } = currentBackend();
  const configFor = (method: RunConfig['method'], bits: number | null) => configOf(flagsOf(plan, method, bits), name);
  const [float, qat] = [await configFor('float', null), await configFor('qat', null)];
  const { signal } = events;
  const halves = await openHalves(await locateData(float.dataset, undefined), signal ? { signal } : {});
  try {
    const work = { steps: stepsOf(float, halves), tests: batchCount(halves.test, limited(float)) };
    const runs = 2 * plan.accumulatorBits.length;
    const tests = 1 + (1 + plan.accumulatorBits.length) + 2 * runs;
    events.onStart?.(work.steps + (1 + runs) * stepsOf(qat, halves) + tests * work.tests);
    const told = countWork(events);

    events.onBegin?.('float', null);
    const { network, weights } = await trainFloat(float, halves, told);
    events.onFloat?.(network);
    const networks: QuantizedNetwork[] = [];
    const run = async (config: RunConfig, trialBits: readonly number[]) => {
      events.onBegin?.(config.method, config.accumulatorBits ?? null);
      networks.push(await trainQuantized(config, weights, halves, trialBits, told));
      events.onQuantized?.(networks[networks.length - 1]);
    };
    await run(qat, plan.accumulatorBits);
    for (const bits of plan.accumulatorBits) {
      await run(await configFor('a2q', bits), [bits]);
      await run(await configFor('a2q+', bits), [bits]);
    }
    const testImages = Math.min(halves.test.length, work.tests * float.batchSize);
    const settings = { float, quantized: qat, trainImages: halves.train.length, testImages };
    return { plan, settings, float: network, networks };
  } finally {
    release(halves.train);
    release(halves.test);
  }
}

function limited({ batchSize, limitBatches }: RunConfig) {
  return { batchSize, limit: limitBatches ?? Number.POSITIVE_INFINITY };
}

function stepsOf(config: RunConfig, { train }: Halves): number {
  return config.epochs * batchCount(train, limited(config));
}

function countWork({ onWork, signal }: DemoEvents): WorkEvents {
  let done = 0;
  return {
    onStep: (loss) => onWork?.(++done, `loss ${loss.toPrecision(3)}`),
    onTest: () => onWork?.(++done, 'testing'),
    ...(signal ? { signal } : {}),
  };
}

async function trainFloat(
  config: RunConfig,
  { train, test }: Halves,
  events: WorkEvents,
): Promise<{ network: FloatNetwork; weights: NamedState }> {
  const model = buildModel(config);
  try {
    await prepareModel(model, config, null, train);
    const losses = await trainModel(model, config, train, events);
    const accuracy = await testAccuracy(model, config, test, events);
    const network = { accuracy, sparsity: await zeroShare(model), losses };
    return { network, weights: { state: await model.stateDict(), name: 'the float network' } };
  } finally {
    model.dispose();
  }
}

/** Share of exact zeros among the weights of the hidden layers. */
async function zeroShare(model: Module): Promise<number> {
  let zeros = 0;
  let size = 0;
  for (const [, layer] of model.namedModules()) {
    if (!(layer instanceof WeightedModule && layer.role === 'hidden')) continue;
    const values = await layer.weight.data();
    size += values.length;
    for (const value of values) zeros += value === 0 ? 1 : 0;
  }
  return zeros / size;
}
