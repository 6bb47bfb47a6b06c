import type { Tensor } from '../../lib/tensor/tensor.js';
import { isArray, type Json } from './golden.js';

/** `max|got − want| ≤ tolerance · max(1, max|want|)`: the tolerance of most golden arrays. */
export const ARRAY_TOLERANCE = 1e-5;

/** Looser, for the losses and parameters after many steps of training. */
export const TRAINING_TOLERANCE = 1e-4;

/** What went wrong in one case. */
export interface Failure {
  readonly name: string;
  readonly problems: readonly string[];
}

/** Everything compared within one golden case. */
export class Case {
  readonly problems: string[] = [];
  #comparisons = 0;

  get comparisons(): number {
    return this.#comparisons;
  }

  /** Compares floats; `got` may be a tensor or numbers, `want` an array of the golden file, numbers or a number. */
  async close(what: string, got: Tensor | ArrayLike<number> | number, want: unknown, tolerance = ARRAY_TOLERANCE) {
    const values = await flatten(got);
    const expected = isArray(want) ? want.data : typeof want === 'number' ? [want] : (want as number[]);
    if (isArray(want) && typeof got === 'object' && 'shape' in got && got.shape.join() !== want.shape.join()) {
      this.problems.push(`${what}: shape [${got.shape}], want [${want.shape}]`);
    }
    this.#compare(what, values, expected, tolerance);
  }

  /** Compares integers exactly. */
  async exact(what: string, got: Tensor | ArrayLike<number> | number, want: unknown) {
    const expected = isArray(want) ? want.data : typeof want === 'number' ? [want] : (want as number[]);
    this.#compare(what, await flatten(got), expected, 0);
  }

  /** Compares one number relatively. */
  relative(what: string, got: number, want: number, tolerance: number) {
    this.#comparisons += 1;
    if (!(Math.abs(got - want) <= tolerance * Math.abs(want))) this.problems.push(`${what}: ${got}, want ${want}`);
  }

  #compare(what: string, got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number) {
    this.#comparisons += 1;
    if (got.length !== want.length) {
      this.problems.push(`${what}: ${got.length} numbers, want ${want.length}`);
      return;
    }
    let scale = 1;
    for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]));
    let worst = 0;
    let at = -1;
    for (let i = 0; i < want.length; i++) {
      const error = Math.abs(got[i] - want[i]);
      if (!(error <= worst)) {
        worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
        at = i;
      }
    }
    if (worst > tolerance * scale) {
      this.problems.push(`${what}[${at}]: ${got[at]}, want ${want[at]} (error ${worst.toExponential(1)})`);
    }
  }
}

async function flatten(got: Tensor | ArrayLike<number> | number): Promise<ArrayLike<number>> {
  if (typeof got === 'number') return [got];
  return 'storage' in got ? got.data() : got;
}

/** The tally of a whole run. */
export class Report {
  passed = 0;
  readonly failures: Failure[] = [];
  readonly skips: { readonly name: string; readonly why: string }[] = [];

  /** Runs one case; an exception is a failure, and so is a case that compares nothing. */
  async run(name: string, work: (check: Case) => void | Promise<void>): Promise<void> {
    const check = new Case();
    try {
      await work(check);
      if (check.comparisons === 0) check.problems.push('compared nothing');
    } catch (error) {
      check.problems.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    }
    if (check.problems.length > 0) this.failures.push({ name, problems: check.problems });
    else this.passed += 1;
  }

  skip(name: string, why: string): void {
    this.skips.push({ name, why });
  }
}

/** A label for a case without a name of its own. */
export function label(file: string, group: string, index: number, json: Json): string {
  return `${file}/${group}/${typeof json['name'] === 'string' ? json['name'] : index}`;
}
