import { asFunction, asInstance, asList, asNumber, asOptions } from '../tensor/argument.js';
import { A2QError } from '../tensor/errors.js';
import { atLeastZero, Optimizer } from './optim/optimizer.js';

/**
 * A learning rate by time (from 0, in epochs or steps) and a group's base rate. It keeps no state, so runs can resume.
 */
export type Schedule = (time: number, base: number) => number;

/**
 * Sets the learning rate of every group to what `schedule` says for `time`.
 * @throws A2QError for a time or a rate that is negative or NaN; nothing changes then
 */
export function applySchedule(optimizer: Optimizer, schedule: Schedule, time: number): void {
  asInstance('applySchedule', 'the optimizer', optimizer, Optimizer);
  asFunction('applySchedule', 'the schedule', schedule);
  if (!(time >= 0)) throw new A2QError('applySchedule', `time must be at least 0; it is ${time}`);
  const rates = optimizer.groups.map(({ baseLearningRate }) => schedule(time, baseLearningRate));
  for (const rate of rates) atLeastZero('applySchedule', `the learning rate at time ${time}`, rate);
  for (const [i, group] of optimizer.groups.entries()) group.learningRate = rates[i];
}

/** The base rate, always. */
export function constantLR(): Schedule {
  return (_, base) => base;
}

/** × `gamma` (default 0.1) each `stepSize`. */
export function stepLR(options: { readonly stepSize: number; readonly gamma?: number }): Schedule {
  const { stepSize, gamma = 0.1 } = asOptions('stepLR', options);
  positive('stepLR', 'stepSize', stepSize);
  return (time, base) => base * gamma ** Math.floor(time / stepSize);
}

/** × `gamma` (default 0.1) at each of the milestones. */
export function multiStepLR(options: { readonly milestones: readonly number[]; readonly gamma?: number }): Schedule {
  const { milestones, gamma = 0.1 } = asOptions('multiStepLR', options);
  asList('multiStepLR', 'milestones', milestones);
  return (time, base) => base * gamma ** milestones.filter((milestone) => milestone <= time).length;
}

/** × `gamma` each unit of time. */
export function exponentialLR(options: { readonly gamma: number }): Schedule {
  const gamma = asNumber('exponentialLR', 'gamma', asOptions('exponentialLR', options).gamma);
  return (time, base) => base * gamma ** time;
}

/** Cosine from the base rate to `minimum` (default 0) at `period` (Loshchilov and Hutter 2017); then rises again. */
export function cosineAnnealingLR(options: { readonly period: number; readonly minimum?: number }): Schedule {
  const { period, minimum = 0 } = asOptions('cosineAnnealingLR', options);
  positive('cosineAnnealingLR', 'period', period);
  return (time, base) => minimum + ((base - minimum) * (1 + Math.cos((Math.PI * time) / period))) / 2;
}

/** `schedule`, multiplied by a ramp from `start` (default 0) at time 0 to 1 at time `duration`. */
export function linearWarmUp(
  schedule: Schedule,
  options: { readonly duration: number; readonly start?: number },
): Schedule {
  asFunction('linearWarmUp', 'the schedule', schedule);
  const { duration, start = 0 } = asOptions('linearWarmUp', options);
  positive('linearWarmUp', 'duration', duration);
  return (time, base) => schedule(time, base) * (start + (1 - start) * Math.min(time / duration, 1));
}

function positive(op: string, name: string, value: number): void {
  if (!(value > 0)) throw new A2QError(op, `${name} must be positive; it is ${value}`);
}
