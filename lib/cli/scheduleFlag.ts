import { InvalidArgumentError } from 'commander';
import type { ScheduleConfig } from '../train/config.js';

const FORMS = 'constant, cosine, exponential:G, step:N:G or multistep:N,N:G with factors G of 0 to 1 and epochs N';

/** Parses the option `--schedule`: `constant`, `cosine`, `exponential:0.999`, `step:30:0.1`, `multistep:30,50:0.1`. */
export function parseSchedule(text: string): ScheduleConfig {
  const [kind, ...rest] = text.split(':');
  if ((kind === 'constant' || kind === 'cosine') && rest.length === 0) return { kind };
  if (kind === 'exponential' && rest.length === 1) return { kind, gamma: factor(rest[0]) };
  if (kind === 'step' && rest.length === 2) return { kind, stepSize: epoch(rest[0]), gamma: factor(rest[1]) };
  if (kind === 'multistep' && rest.length === 2) {
    return { kind, milestones: rest[0].split(',').map(epoch), gamma: factor(rest[1]) };
  }
  throw new InvalidArgumentError(`It must be ${FORMS}.`);
}

function factor(text: string): number {
  const value = Number(text);
  if (text !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`It must be ${FORMS}.`);
}

function epoch(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1) return value;
  throw new InvalidArgumentError(`It must be ${FORMS}.`);
}
