import { type Command, InvalidArgumentError } from 'commander';
import { A2QError } from '../tensor/errors.js';

/** Exit codes of the command. */
export const EXIT = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** The user asked for something that cannot be: found before any work starts. Exit code 2. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}

/**
 * Runs a part of a command that only looks at what was asked for: every refusal in there is the user's to mend.
 * @throws UsageError in place of any of our own errors
 */
export async function asUsage<T>(check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof A2QError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** The options that were typed, as `--name`. */
export function givenOptions(command: Command): string[] {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli');
  return given.map(({ long, flags }) => long ?? flags);
}

/** Parses an option that is an integer of `low … high`. */
export function integer(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const limits = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`;
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(value) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be an integer ${limits}.`);
  };
}

/** Parses an option that is a finite number: at least `low`, or `above` it; `below` a limit, if there is one. */
export function decimal(
  low: number,
  { above = false, below = Number.POSITIVE_INFINITY } = {},
): (text: string) => number {
  const limits = `${above ? 'above' : 'of at least'} ${low}${Number.isFinite(below) ? ` and below ${below}` : ''}`;
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && (above ? value > low : value >= low) && value < below) return value;
    throw new InvalidArgumentError(`It must be a number ${limits}.`);
  };
}
