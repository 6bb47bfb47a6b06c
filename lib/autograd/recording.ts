import { asFunction } from '../tensor/argument.js';
import { TapeError } from '../tensor/errors.js';

let recording = true;

/** Runs `work` without recording: what it computes has no history. @throws TapeError if `work` is asynchronous */
export function noGrad<T>(work: () => T): T {
  asFunction('noGrad', 'the work', work);
  const before = recording;
  recording = false;
  try {
    const result = work();
    if (result instanceof Promise) throw new TapeError('noGrad', 'the callback must not be async');
    return result;
  } finally {
    recording = before;
  }
}

/** Runs `work` with recording on, also inside `noGrad`: a gradient rule that itself differentiates. */
export function withGrad<T>(work: () => T): T {
  asFunction('withGrad', 'the work', work);
  const before = recording;
  recording = true;
  try {
    return work();
  } finally {
    recording = before;
  }
}

/** Whether operations are being recorded right now. */
export function isRecording(): boolean {
  return recording;
}
