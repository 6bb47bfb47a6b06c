import t from 'tap';
import {
  applySchedule,
  constantLR,
  cosineAnnealingLR,
  exponentialLR,
  linearWarmUp,
  multiStepLR,
  Parameter,
  type Schedule,
  SGD,
  stepLR,
} from '../../lib/nn/index.js';
import { zeros } from '../../lib/tensor/create.js';
import { readGolden } from '../goldenFile.js';
import { relativelyCloseTo } from '../helpers.js';
import { useReference } from './support.js';

useReference();

interface GoldenSchedule {
  readonly name: string;
  readonly type: string;
  readonly lr: number;
  readonly args: Readonly<Record<'step_size' | 'gamma' | 'T_max' | 'eta_min', number>> & {
    readonly milestones: number[];
  };
  readonly lrs: number[];
}

const golden = readGolden<{ schedules: GoldenSchedule[] }>('optim');

const SCHEDULES: Readonly<Record<string, (args: GoldenSchedule['args']) => Schedule>> = {
  StepLR: ({ step_size, gamma }) => stepLR({ stepSize: step_size, gamma }),
  MultiStepLR: ({ milestones, gamma }) => multiStepLR({ milestones, gamma }),
  ExponentialLR: ({ gamma }) => exponentialLR({ gamma }),
  CosineAnnealingLR: ({ T_max, eta_min = 0 }) => cosineAnnealingLR({ period: T_max, minimum: eta_min }),
};

/** The rates of the first `count` epochs. */
function rates(schedule: Schedule, base: number, count: number): number[] {
  return Array.from({ length: count }, (_, epoch) => schedule(epoch, base));
}

t.test('golden schedules', { skip: golden.skip }, async (t) => {
  const cases = golden.content?.schedules ?? [];
  t.ok(cases.length >= 4, `${cases.length} cases`);
  for (const { name, type, lr, args, lrs } of cases) {
    relativelyCloseTo(t, rates(SCHEDULES[type](args), lr, lrs.length), lrs, 1e-9, name);
  }
});

t.test('by hand', async (t) => {
  const near = (schedule: Schedule, want: number[], name: string) =>
    relativelyCloseTo(t, rates(schedule, 8, want.length), want, 1e-12, name);
  near(constantLR(), [8, 8, 8], 'constant');
  near(stepLR({ stepSize: 2, gamma: 0.5 }), [8, 8, 4, 4, 2], 'step');
  near(stepLR({ stepSize: 1 }), [8, 0.8, 0.08], 'step, gamma 0.1 by default');
  near(multiStepLR({ milestones: [1, 3], gamma: 0.5 }), [8, 4, 4, 2, 2], 'milestones');
  near(multiStepLR({ milestones: [3, 1, 1], gamma: 0.5 }), [8, 2, 2, 1], 'in any order, and doubled');
  near(exponentialLR({ gamma: 0.5 }), [8, 4, 2, 1], 'exponential');
  near(cosineAnnealingLR({ period: 2 }), [8, 4, 0, 4, 8], 'cosine, and up again');
  near(
    cosineAnnealingLR({ period: 4, minimum: 2 }),
    [8, 5 + 3 * Math.SQRT1_2, 5, 5 - 3 * Math.SQRT1_2, 2],
    'with a floor',
  );
});

t.test('warm-up ramps any schedule', async (t) => {
  const ramped = linearWarmUp(stepLR({ stepSize: 3, gamma: 0.5 }), { duration: 4 });
  relativelyCloseTo(t, rates(ramped, 8, 7), [0, 2, 4, 3, 4, 4, 2], 1e-12, 'from 0');
  const started = linearWarmUp(constantLR(), { duration: 2, start: 0.5 });
  relativelyCloseTo(t, rates(started, 8, 4), [4, 6, 8, 8], 1e-12, 'from a half');
});

t.test('applied to the groups of an optimizer, each from its own base', async (t) => {
  const parameters = [new Parameter(zeros([1])), new Parameter(zeros([1]))];
  const optimizer = new SGD([{ parameters: [parameters[0]] }, { parameters: [parameters[1]], learningRate: 4 }], {
    learningRate: 1,
  });
  const schedule = stepLR({ stepSize: 1, gamma: 0.5 });
  applySchedule(optimizer, schedule, 2);
  t.same(
    optimizer.groups.map(({ learningRate }) => learningRate),
    [0.25, 1],
  );
  applySchedule(optimizer, schedule, 0);
  t.same(
    optimizer.groups.map(({ learningRate }) => learningRate),
    [1, 4],
    'nothing is remembered',
  );
  t.throws(() => applySchedule(optimizer, schedule, -1), {
    name: 'A2QError',
    message: 'applySchedule: time must be at least 0; it is -1',
  });
});

t.test('settings out of range', async (t) => {
  t.throws(() => stepLR({ stepSize: 0 }), { message: 'stepLR: stepSize must be positive; it is 0' });
  t.throws(() => cosineAnnealingLR({ period: -1 }), {
    message: 'cosineAnnealingLR: period must be positive; it is -1',
  });
  t.throws(() => linearWarmUp(constantLR(), { duration: Number.NaN }), {
    message: 'linearWarmUp: duration must be positive; it is NaN',
  });
});
