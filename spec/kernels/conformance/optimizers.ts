import type { Test } from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import type { AdamStep, FastSteps, SgdStep } from '../../../lib/kernels/fast.js';
import { adam, sgd } from '../../../lib/nn/optim/steps.js';
import { memory } from '../../../lib/tensor/storage.js';
import { adamStep, type NumberArray, sgdStep } from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUTS, LENGTHS } from './layouts.js';
import { composed } from './rows.js';
import { compare, type Subject } from './subject.js';

const STEPS = 4;

const SGD: readonly Omit<SgdStep, 'first'>[] = [
  { learningRate: 0.1, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
  { learningRate: 0.1, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0.01 },
  { learningRate: 0.05, momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 0 },
  { learningRate: 0.05, momentum: 0.9, dampening: 0.3, nesterov: false, weightDecay: 0.01 },
  { learningRate: 0.05, momentum: 0.8, dampening: 0, nesterov: true, weightDecay: 0.001 },
];

const ADAM: readonly Omit<AdamStep, 'step'>[] = [
  { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false },
  { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: true },
  { learningRate: 0.003, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1, decoupled: false },
  { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weightDecay: 0.1, decoupled: true },
];

/** Optimizer steps in place: several in a row, against PyTorch's formulas, nothing written beside the parameter. */
export async function optimizerConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const close = { tolerance: 10 * tolerances.chained };
  const steppers = steppersOf(s.backend);
  const zeros = (shape: readonly number[]) => s.integers(shape, 0, 0);

  /** State inside a larger block, with a check that the step neither writes beside it nor keeps memory. */
  const guarded = async (label: string, array: NumberArray) => {
    const view = s.view(array, LAYOUTS.inset);
    const block = { ...view, shape: [view.storage.length], strides: [1], offset: 0 };
    const edges = async () => {
      const all = await s.read(block);
      return [...all.slice(0, view.offset), ...all.slice(view.offset + array.data.length)];
    };
    const before = await edges();
    return { view, unharmed: async () => s.check(`${label}, its neighbours`, compare(await edges(), before, 'exact')) };
  };

  const steps = async (label: string, take: (n: number) => Promise<void>) => {
    const before = memory(s.backend).storages;
    for (let n = 1; n <= STEPS; n++) await take(n);
    const left = memory(s.backend).storages - before - STEPS;
    s.check(label, left === 0 ? null : `${left} blocks stay allocated`);
  };

  for (const [origin, step] of Object.entries(steppers)) {
    await s.test(t, `sgd, ${origin}`, async () => {
      for (const options of SGD) {
        for (const shape of [...LENGTHS.map((n) => [n]), [3, 5]]) {
          const label = `[${shape}] ${JSON.stringify(options)}`;
          let theta = [...s.array(shape).data];
          let buffer: number[] | null = null;
          const parameter = await guarded(label, { shape, data: theta });
          const velocity = await guarded(label, s.array(shape));
          await steps(label, async (n) => {
            const g = s.array(shape);
            const state = options.momentum === 0 ? null : velocity.view;
            const states = [{ parameter: parameter.view, gradient: s.view(g), velocity: state }];
            step.sgd(states, { ...options, first: n === 1 });
            ({ theta, buffer } = sgdStep(theta, g.data, buffer, options));
            s.check(`${label} step ${n}`, compare(await s.read(parameter.view), theta, close));
            if (state) s.check(`${label} velocity ${n}`, compare(await s.read(state), buffer, close));
          });
          await parameter.unharmed();
          await velocity.unharmed();
        }
      }
    });

    await s.test(t, `adam, ${origin}`, async () => {
      for (const options of ADAM) {
        for (const shape of [...LENGTHS.map((n) => [n]), [3, 5]]) {
          const label = `[${shape}] ${JSON.stringify(options)}`;
          let theta = [...s.array(shape).data];
          let [first, second] = [[...zeros(shape).data], [...zeros(shape).data]];
          const parameter = await guarded(label, { shape, data: theta });
          const m = await guarded(label, zeros(shape));
          const v = await guarded(label, zeros(shape));
          await steps(label, async (n) => {
            const g = s.array(shape);
            const state = {
              parameter: parameter.view,
              gradient: s.view(g),
              first: m.view,
              second: v.view,
              largest: null,
            };
            step.adam([state], { ...options, step: n });
            ({ theta, first, second } = adamStep(theta, g.data, first, second, n, options));
            s.check(`${label} step ${n}`, compare(await s.read(parameter.view), theta, close));
            s.check(`${label} first ${n}`, compare(await s.read(m.view), first, close));
            s.check(`${label} second ${n}`, compare(await s.read(v.view), second, close));
          });
          await Promise.all([parameter, m, v].map((state) => state.unharmed()));
        }
      }
    });
  }

  await s.test(t, 'many parameters at once get the bits of each alone', async () => {
    const shapes = [[1], [3, 5], [0], [9000], [17]];
    for (const step of Object.values(steppers)) {
      const draw = () => shapes.map((shape) => s.array(shape, 0.1, 1));
      const [theta, g, m, v] = [draw(), draw(), draw(), draw()];
      const views = (arrays: readonly NumberArray[]) => arrays.map((array) => s.view(array, LAYOUTS.inset));
      const state = () => {
        const [parameters, gradients, first, second] = [views(theta), views(g), views(m), views(v)];
        return parameters.map((parameter, i) => ({
          parameter,
          gradient: gradients[i],
          velocity: first[i],
          first: first[i],
          second: second[i],
          largest: null,
        }));
      };
      const compareAll = async (label: string, together: ReturnType<typeof state>, alone: ReturnType<typeof state>) => {
        for (const [i, each] of together.entries()) {
          for (const key of ['parameter', 'first', 'second'] as const) {
            const want = await s.read(alone[i][key]);
            s.check(`${label} [${shapes[i]}] ${key}`, compare(await s.read(each[key]), want, 'exact'));
          }
        }
      };
      const [sgdTogether, sgdAlone, adamTogether, adamAlone] = [state(), state(), state(), state()];
      const options = { ...SGD[3], first: false };
      step.sgd(sgdTogether, options);
      for (const state of sgdAlone) step.sgd([state], options);
      await compareAll('sgd', sgdTogether, sgdAlone);
      const adamOptions = { ...ADAM[2], step: 3 };
      step.adam(adamTogether, adamOptions);
      for (const state of adamAlone) step.adam([state], adamOptions);
      await compareAll('adam', adamTogether, adamAlone);
    }
  });

  await s.test(t, 'a zero gradient from zero moments moves nothing', async () => {
    for (const step of Object.values(steppers)) {
      const theta = s.view(s.integers([5], 3, 3));
      const [g, m, v] = [s.view(zeros([5])), s.view(zeros([5])), s.view(zeros([5]))];
      step.adam([{ parameter: theta, gradient: g, first: m, second: v, largest: null }], { ...ADAM[0], step: 1 });
      s.check('adam', compare(await s.read(theta), [3, 3, 3, 3, 3], 'exact'));
    }
  });
}

/** Steps by the backend's fast paths alone, as far as there are any, and by their compositions. */
function steppersOf(backend: Backend): Readonly<Record<string, Pick<Required<FastSteps>, 'sgd' | 'adam'>>> {
  const composition = {
    sgd: done((...given: Parameters<typeof sgd>) => composed(backend, () => sgd(...given))),
    adam: done((...given: Parameters<typeof adam>) => composed(backend, () => adam(...given))),
  };
  const { sgd: ownSgd, adam: ownAdam } = backend.fast ?? {};
  if (!ownSgd || !ownAdam) return { composed: composition };
  return { composed: composition, own: { sgd: undeclined(ownSgd), adam: undeclined(ownAdam) } };
}

function done<Given extends unknown[]>(step: (...given: Given) => void): (...given: Given) => true {
  return (...given) => {
    step(...given);
    return true;
  };
}

/** Steps that must not be declined. */
function undeclined<Given extends unknown[]>(step: (...given: Given) => true | null): (...given: Given) => true {
  return (...given) => {
    if (step(...given) === null) throw new Error('the step was declined');
    return true;
  };
}
