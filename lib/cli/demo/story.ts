import { glyphs } from '../../data/glyphs.js';
import { WeightedModule } from '../../nn/layers/weighted.js';
import type { Module, StateDict } from '../../nn/module.js';
import { type Arm, type Bench, runArm, TEST_BATCH, testAccuracy } from './arm.js';
import { buildNetwork, train, type Watch } from './network.js';
import type { DemoPlan } from './plan.js';

/** The float network everything starts from. */
export interface FloatNetwork {
  /** Test accuracy 0 … 1. */
  readonly accuracy: number;
  /** Share of exact zeros among the hidden weights. */
  readonly sparsity: number;
  /** Loss of each step. */
  readonly losses: readonly number[];
}

/** All the demo found out. */
export interface Story {
  readonly plan: DemoPlan;
  readonly float: FloatNetwork;
  /** QAT, then A2Q and A2Q+ for every P, widest first. */
  readonly arms: readonly Arm[];
}

/** Whom to tell how the story gets on. */
export interface StoryEvents {
  /** A network is begun: its method and P (null for none). */
  onBegin?(method: Arm['method'] | 'float', accumulatorBits: number | null): void;
  /** Work done, in steps of training (parts of one for tests), of `storyWork` in all. */
  onWork?(done: number, note: string): void;
  onFloat?(float: FloatNetwork): void;
  onArm?(arm: Arm): void;
  readonly signal?: AbortSignal;
}

/** What a batch of a test costs, in steps of training. */
const TEST_WORK = 1;

/** All the work of a story, in steps of training. */
export function storyWork(plan: DemoPlan): number {
  const widths = plan.accumulatorBits.length;
  const steps = Math.ceil(plan.trainImages / plan.batchSize);
  const tests = Math.ceil(plan.testImages / TEST_BATCH);
  // QAT is tested once in full width and once at every P, as are A2Q and A2Q+ together twice.
  const testRuns = 1 + (1 + widths) + 2 * widths * 2;
  return steps * (plan.float.epochs + (1 + 2 * widths) * plan.fineTune.epochs) + tests * testRuns * TEST_WORK;
}

/**
 * The built-in story on glyphs: a float network; from it QAT, A2Q and A2Q+ for every P, fine-tuned alike; each tested
 * as training sees it and on P-bit accumulators that wrap around.
 *
 * @throws the signal's reason if it is aborted
 */
export async function tellStory(plan: DemoPlan, events: StoryEvents = {}): Promise<Story> {
  const trainSet = glyphs({ length: plan.trainImages, seed: plan.seed });
  const testSet = glyphs({ length: plan.testImages, split: 'test' });
  const watch = watchWork(events);
  events.onBegin?.('float', null);
  const { float, checkpoint } = await trainFloat({ plan, trainSet, testSet }, watch);
  events.onFloat?.(float);

  const bench: Bench = { plan, checkpoint, trainSet, testSet };
  const arms: Arm[] = [];
  const run = async (method: Arm['method'], bits: number | null, trials: readonly number[]) => {
    events.onBegin?.(method, bits);
    const arm = await runArm(bench, method, bits, trials, watch);
    arms.push(arm);
    events.onArm?.(arm);
  };
  await run('qat', null, plan.accumulatorBits);
  for (const bits of plan.accumulatorBits) {
    await run('a2q', bits, [bits]);
    await run('a2q+', bits, [bits]);
  }
  return { plan, float, arms };
}

function watchWork({ onWork, signal }: StoryEvents): Watch {
  let done = 0;
  let note = '';
  return {
    onStep(loss) {
      done += 1;
      note = `loss ${loss.toPrecision(3)}`;
      onWork?.(done, note);
    },
    onTest() {
      done += TEST_WORK;
      onWork?.(done, 'testing');
    },
    ...(signal ? { signal } : {}),
  };
}

async function trainFloat(
  { plan, trainSet, testSet }: Omit<Bench, 'checkpoint'>,
  watch: Watch,
): Promise<{ float: FloatNetwork; checkpoint: StateDict }> {
  const model = buildNetwork(plan, 'float', null, trainSet);
  try {
    const losses = await train(plan, model, trainSet, plan.float, 0, watch);
    const accuracy = await testAccuracy(model, testSet, watch);
    return { float: { accuracy, sparsity: await zeroShare(model), losses }, checkpoint: await model.stateDict() };
  } finally {
    model.dispose();
  }
}

/** Share of exact zeros among the weights of all layers but the first and the last. */
async function zeroShare(model: Module): Promise<number> {
  const layers = [...model.namedModules()].flatMap(([, module]) => (module instanceof WeightedModule ? [module] : []));
  let zeros = 0;
  let size = 0;
  for (const { weight } of layers.slice(1, -1)) {
    const values = await weight.data();
    size += values.length;
    for (const value of values) zeros += value === 0 ? 1 : 0;
  }
  return zeros / size;
}
