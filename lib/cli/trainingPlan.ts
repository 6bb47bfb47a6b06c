import type { Module } from '../nn/module.js';
import type { RunConfig } from '../train/config.js';
import { modelName } from '../train/models.js';
import { formatSeconds } from './output.js';
import { settingsAsFlags, wrapWords } from './settingsText.js';

/** What `a2q train` says of a run before it begins, and of its length once it has begun. */

/** Model, data and method, all settings as flags, and the number of parameters. @param backend what computes */
export function planText(config: RunConfig, model: Module, backend: string): string {
  const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
  const what = `${modelName(config)} on ${config.dataset.name}, ${parameters.toLocaleString('en-US')} parameters`;
  return [`${what}, on ${backend}; settings:`, ...wrapWords(settingsAsFlags(config), '  ')].join('\n');
}

/** How many images there are, and what for. @param by what the others are for */
export function imagesText(train: number, others: number, by: 'test' | 'validate'): string {
  const count = (images: number) => images.toLocaleString('en-US');
  return `${count(train)} images to train on, ${count(others)} to ${by} on`;
}

/** Steps that are timed before the time of all is told; the first one, which warms up, is not among them. */
const TIMED_STEPS = 10;
/** Or so many seconds of them. */
const TIMED_SECONDS = 10;

/** Tells how long training will take, once. */
export class TimeEstimate {
  #milliseconds = 0;
  #steps = -1;
  #told = false;

  /** @param ms of the step just taken @returns a line to say; null if it is too early, or was said */
  after(ms: number, stepsLeft: number): string | null {
    this.#steps += 1;
    if (this.#told || this.#steps === 0) return null;
    this.#milliseconds += ms;
    if (this.#steps < TIMED_STEPS && this.#milliseconds < 1000 * TIMED_SECONDS) return null;
    this.#told = true;
    const each = this.#milliseconds / this.#steps;
    const left = formatSeconds((each * stepsLeft) / 1000);
    const steps = `${stepsLeft.toLocaleString('en-US')} steps of ${each.toFixed(0)} ms`;
    return `about ${left} to go: ${steps}, tests not counted`;
  }
}
