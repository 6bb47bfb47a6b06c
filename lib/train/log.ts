import { z } from 'zod';
import type { MadeIn } from '../data/batchSource.js';
import { DataError } from '../tensor/errors.js';

const count = z.int().min(0);
/** JSON has no NaN and no infinity: they are written as null. */
const measured = z.union([z.number(), z.null().transform(() => Number.NaN)]);

/** In the order in which lines are written, so that what is read and written again stays as it was. */
const lineSchema = z.looseObject({
  epoch: count,
  step: count,
  loss: measured,
  penalty: measured,
  learningRate: measured,
  msPerStep: measured,
  seconds: measured,
  testLoss: measured,
  /** Accuracy 0 … 1 or PSNR in dB, see `metricName`. */
  testMetric: measured,
  metricName: z.enum(['accuracy', 'psnr']),
  /** Which images loss and metric are of, and so which chose the best epoch; older logs do not say. */
  testedOn: z.enum(['test', 'val']).exactOptional(),
  backend: z.string(),
  batchesMadeIn: z.enum(['worker', 'same thread'] satisfies MadeIn[]),
  /** Quantized layers whose integer weights are all 0; left out if there are none. */
  zeroLayers: z.array(z.string()).exactOptional(),
});

/** One line of a run's log: an epoch. */
export type LogLine = Readonly<z.infer<typeof lineSchema>>;

/**
 * Reads a log of one JSON object a line. A last line that was cut off, so without its line break, is left out.
 *
 * @param source what errors call it, usually the file's path
 * @throws DataError naming the first line that is damaged
 */
export function parseLog(text: string, source: string): LogLine[] {
  const lines = text.split('\n');
  const unfinished = lines.pop() ?? '';
  const read = lines.map((line, i) => parseLine(line) ?? damaged(source, i + 1));
  const last = unfinished === '' ? null : parseLine(unfinished);
  return last ? [...read, last] : read;
}

export function formatLog(lines: readonly LogLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

function parseLine(line: string): LogLine | null {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function damaged(source: string, line: number): never {
  throw new DataError('log', `${source}: line ${line} is damaged; mend it, or delete it to go on without that epoch`);
}
