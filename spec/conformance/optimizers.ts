import { Adam, AdamW } from '../../lib/nn/optim/adam.js';
import type { GroupOptions, Optimizer } from '../../lib/nn/optim/optimizer.js';
import { SGD } from '../../lib/nn/optim/sgd.js';
import { Parameter } from '../../lib/nn/parameter.js';
import { cosineAnnealingLR, exponentialLR, multiStepLR, type Schedule, stepLR } from '../../lib/nn/schedule.js';
import { tensor } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { type GoldenArray, type Json, list, number, numbers, object, text } from './golden.js';
import { label, type Report } from './report.js';

/** Those arguments that are given, under our names. */
function picked(args: Json, names: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(names).flatMap(([key, name]) => (key in args ? [[name, args[key]]] : [])));
}

/** An optimizer by PyTorch's name and argument names. */
export function optimizerFor(type: string, args: Json, groups: readonly GroupOptions[]): Optimizer {
  const options = { learningRate: number(args, 'lr'), ...picked(args, { weight_decay: 'weightDecay' }) };
  if (type === 'SGD') {
    return new SGD(groups, {
      ...options,
      ...picked(args, { momentum: 'momentum', dampening: 'dampening', nesterov: 'nesterov' }),
    });
  }
  const adam = { ...options, ...picked(args, { betas: 'betas', eps: 'epsilon' }) };
  if (type === 'Adam') return new Adam(groups, adam);
  if (type === 'AdamW') return new AdamW(groups, adam);
  throw new DataError('golden', `unknown optimizer ${type}`);
}

function scheduleFor(type: string, args: Json): Schedule {
  const gamma = args['gamma'] === undefined ? {} : { gamma: number(args, 'gamma') };
  if (type === 'StepLR') return stepLR({ stepSize: number(args, 'step_size'), ...gamma });
  if (type === 'MultiStepLR') return multiStepLR({ milestones: numbers(args, 'milestones'), ...gamma });
  if (type === 'ExponentialLR') return exponentialLR({ gamma: number(args, 'gamma') });
  if (type === 'CosineAnnealingLR') {
    const minimum = args['eta_min'] === undefined ? {} : { minimum: number(args, 'eta_min') };
    return cosineAnnealingLR({ period: number(args, 'T_max'), ...minimum });
  }
  throw new DataError('golden', `unknown schedule ${type}`);
}

/** optim.json: parameters after every step, learning rates after every epoch. */
export async function checkOptimizers(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'cases').entries()) {
    await report.run(label('optim', 'cases', i, entry), async (check) => {
      const arrays = entry['init'] as GoldenArray[];
      const parameters = arrays.map(({ data, shape }) => new Parameter(tensor(Float32Array.from(data), shape)));
      const groups = [{ parameters: parameters.slice(0, -1) }, { parameters: parameters.slice(-1), weightDecay: 0 }];
      const optimizer = optimizerFor(text(entry, 'type'), object(entry, 'args'), groups);
      for (const [k, step] of list(entry, 'steps').entries()) {
        for (const [j, grad] of (step['grads'] as GoldenArray[]).entries()) {
          parameters[j].grad = tensor(Float32Array.from(grad.data), grad.shape);
        }
        optimizer.step();
        for (const [j, want] of (step['params'] as GoldenArray[]).entries()) {
          await check.close(`step ${k} parameter ${j}`, parameters[j], want);
        }
      }
    });
  }
  for (const [i, entry] of list(file, 'schedules').entries()) {
    await report.run(label('optim', 'schedules', i, entry), (check) => {
      const schedule = scheduleFor(text(entry, 'type'), object(entry, 'args'));
      const lr = number(entry, 'lr');
      const want = numbers(entry, 'lrs');
      return check.close(
        'lrs',
        want.map((_, epoch) => schedule(epoch, lr) / lr),
        want.map((x) => x / lr),
        1e-9,
      );
    });
  }
}
