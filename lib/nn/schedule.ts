import { A2QError } from '../tensor/errors.js';
import type { Optimizer } from './optim/optimizer.js';

/**
 * A learning rate as a function of time, counted from 0 in epochs or steps, and of the rate a group starts from. It
 * remembers nothing, so a resumed run needs only to know the time.
 */
export type Schedule = (time: number, base: number) => number;

/** Sets the learning rate of every group to what `schedule` says for `time`. @throws A2QError for a negative time */
export function applySchedule(optimizer: Optimizer, schedule: Schedule, time: number): void {
  if (!(time >= 0)) throw new A2QError('applySchedule', `time must be at least 0; it is ${time}`);
  for (const group of optimizer.groups) group.learningRate = schedule(time, group.baseLearningRate);
}

/** The base rate, always. */
export function constantLR(): Schedule {
  return (_, base) => base;
}

/** × `gamma` (default 0.1) each `stepSize`. */
export function stepLR({ stepSize, gamma = 0.1 }: { readonly stepSize: number; readonly gamma?: number }): Schedule {
  positive('stepLR', 'stepSize', stepSize);
  return (time, base) => base * gamma ** Math.floor(time / stepSize);
}

/** × `gamma` (default 0.1) at each of the milestones. */
export function multiStepLR({
  milestones,
  gamma = 0.1,
}: {
  readonly milestones: readonly number[];
  readonly gamma?: number;
}): Schedule {
  return (time, base) => base * gamma ** milestones.filter((milestone) => milestone <= time).length;
}

/** × `gamma` each unit of time. */
export function exponentialLR({ gamma }: { readonly gamma: number }): Schedule {
  return (time, base) => base * gamma ** time;
}

/**
 * Cosine from the base rate to `minimum` (default 0) at `period` (Loshchilov and Hutter 2017); rises again after it.
 */
export function cosineAnnealingLR({
  period,
  minimum = 0,
}: {
  readonly period: number;
  readonly minimum?: number;
}): Schedule {
  positive('cosineAnnealingLR', 'period', period);
  return (time, base) => minimum + ((base - minimum) * (1 + Math.cos((Math.PI * time) / period))) / 2;
}

/** `schedule`, multiplied by a ramp from `start` (default 0) at time 0 to 1 at time `duration`. */
export function linearWarmUp(
  schedule: Schedule,
  { duration, start = 0 }: { readonly duration: number; readonly start?: number },
): Schedule {
  positive('linearWarmUp', 'duration', duration);
  return (time, base) => schedule(time, base) * (start + (1 - start) * Math.min(time / duration, 1));
}

function positive(op: string, name: string, value: number): void {
  if (!(value > 0)) throw new A2QError(op, `${name} must be positive; it is ${value}`);
}
