import { type View, viewSize } from '../../tensor/view.js';
import type { FastSteps } from '../fast.js';
import { layouts } from './binaries.generated.js';
import type { Job, Machine } from './machine.js';

/** Floats a unit of work updates. */
const BLOCK = 8192;

/** One parameter under a step: addresses of what is updated along with it, 0 for what is not there. */
interface Target {
  readonly parameter: View;
  readonly gradient: View;
  readonly first: View | null;
  readonly second: View | null;
}

/** Optimizer steps in place, one call for any number of parameters. */
export function optimizerKernels(machine: Machine): Required<Pick<FastSteps, 'sgd' | 'adam'>> {
  const addressOf = (view: View | null) => (view ? machine.address(view) : 0);

  /** Hands `work` the table of blocks (see assembly/optimize.ts) and the job that goes through it. */
  const throughBlocks = (targets: readonly Target[], cost: number, work: (table: number, job: Job) => void) =>
    machine.dense(
      targets.map(({ gradient }) => gradient),
      (...gradients) => {
        const sizes = targets.map(({ parameter }) => viewSize(parameter));
        const units = sizes.reduce((total, size) => total + Math.ceil(size / BLOCK), 0);
        if (units === 0) return;
        machine.borrow(units * layouts.Block.length * 4, (table) => {
          const words = machine.integers;
          let at = table / 4;
          for (const [i, { parameter, first, second }] of targets.entries()) {
            const bases = [addressOf(parameter), gradients[i], addressOf(first), addressOf(second)];
            for (let start = 0; start < sizes[i]; start += BLOCK) {
              const [p, g, m, v] = bases.map((base) => (base === 0 ? 0 : base + start * 4));
              const block = {
                parameter: p,
                gradient: g,
                first: m,
                second: v,
                count: Math.min(BLOCK, sizes[i] - start),
              };
              for (const field of layouts.Block) words[at++] = block[field];
            }
          }
          work(table, { units, pieces: 4, cost: BLOCK * cost });
        });
      },
    );

  return {
    sgd(states, step) {
      const targets = states.map(({ velocity, ...state }) => ({ ...state, first: velocity, second: null }));
      throughBlocks(targets, 0.5, (table, job) =>
        machine.run(
          'sgd',
          job,
          ...([table, step.learningRate, step.momentum, step.dampening, step.nesterov ? 1 : 0] as const),
          ...([step.weightDecay, step.first ? 1 : 0] as const),
        ),
      );
      return true;
    },

    adam(states, step) {
      if (states.some(({ largest }) => largest !== null)) return null;
      const { beta1, beta2, learningRate, weightDecay, decoupled } = step;
      throughBlocks(states, 1.5, (table, job) =>
        machine.run(
          'adam',
          job,
          ...([table, beta1, 1 - beta1, beta2, 1 - beta2] as const),
          ...([learningRate / (1 - beta1 ** step.step), Math.sqrt(1 - beta2 ** step.step), step.epsilon] as const),
          ...([decoupled ? 0 : weightDecay, decoupled ? 1 - learningRate * weightDecay : 1] as const),
        ),
      );
      return true;
    },
  };
}
