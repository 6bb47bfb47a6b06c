import { z } from 'zod';
import { DataError } from '../tensor/errors.js';

const epochs = z.int().min(1);
const gamma = z.number().min(0).max(1);

/** How the learning rate goes from epoch to epoch. */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant') }),
  /** × gamma each epoch. */
  z.strictObject({ kind: z.literal('exponential'), gamma }),
  /** × gamma each `stepSize` epochs. */
  z.strictObject({ kind: z.literal('step'), stepSize: epochs, gamma }),
  /** × gamma at each of the milestones, in epochs. */
  z.strictObject({ kind: z.literal('multistep'), milestones: z.array(epochs).min(1), gamma }),
  /** Half a cosine over all epochs, down to 0. */
  z.strictObject({ kind: z.literal('cosine') }),
]);
export type ScheduleConfig = z.infer<typeof scheduleSchema>;

/** How schedules are written on a command line. */
export const SCHEDULE_FORMS = 'constant, cosine, exponential:G, step:N:G or multistep:N,N:G';

/** What stands after the kind. */
const FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['exponential', ['gamma']],
  ['step', ['stepSize', 'gamma']],
  ['multistep', ['milestones', 'gamma']],
]);

/**
 * Reads `constant`, `cosine`, `exponential:0.999`, `step:30:0.1`, `multistep:30,50:0.1`.
 * @throws DataError if it is none of these
 */
export function parseSchedule(text: string): ScheduleConfig {
  const [kind, ...rest] = text.split(':');
  const names = FIELDS.get(kind) ?? [];
  const value = (name: string, part: string) =>
    name === 'milestones' ? part.split(',').map(toNumber) : toNumber(part);
  const read = scheduleSchema.safeParse({
    kind,
    ...Object.fromEntries(names.map((name, i) => [name, value(name, rest[i] ?? '')])),
  });
  if (read.success && rest.length === names.length) return read.data;
  throw new DataError('schedule', `It must be ${SCHEDULE_FORMS} with factors G of 0 to 1 and epochs N`);
}

/** NaN where the text is empty, which `Number` takes for 0. */
function toNumber(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

/** The inverse of {@link parseSchedule}. */
export function formatSchedule(config: ScheduleConfig): string {
  return Object.values(config).join(':');
}
