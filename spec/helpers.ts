import type { Test } from 'tap';

/** Numbers to compare: typed arrays, plain arrays. */
export type Numbers = ArrayLike<number>;

/**
 * Where `got` and `want` differ by more than `max|got − want| ≤ tolerance·max(1, max|want|)`, as a sentence; null if
 * nowhere. NaN matches NaN only, an infinity only itself; neither takes part in the maximum.
 */
export function difference(got: Numbers, want: Numbers, tolerance: number): string | null {
  if (!(tolerance >= 0)) return `tolerance is ${tolerance}`;
  let scale = 1;
  for (let i = 0; i < want.length; i++) if (Number.isFinite(want[i])) scale = Math.max(scale, Math.abs(want[i]));
  return firstDifference(got, want, (a, b) => Math.abs(a - b) <= tolerance * scale, `more than ${tolerance * scale}`);
}

/**
 * As `difference`, but every element is held to `tolerance·|want|`, so that small numbers must keep their digits too.
 */
export function relativeDifference(got: Numbers, want: Numbers, tolerance: number): string | null {
  if (!(tolerance >= 0)) return `tolerance is ${tolerance}`;
  const near = (a: number, b: number) => Math.abs(a - b) <= tolerance * Math.abs(b);
  return firstDifference(got, want, near, `more than ${tolerance} of it`);
}

/**
 * Where `got` and `want` are not the same numbers; null if nowhere. NaN equals NaN; −0 equals 0 unless `signedZeros`.
 */
export function inequality(got: Numbers, want: Numbers, { signedZeros = false } = {}): string | null {
  const equal = signedZeros ? Object.is : (a: number, b: number) => a === b;
  return firstDifference(got, want, equal, 'not equal');
}

function firstDifference(
  got: Numbers,
  want: Numbers,
  near: (got: number, want: number) => boolean,
  verdict: string,
): string | null {
  if (got.length !== want.length) return `got ${got.length} numbers, want ${want.length}`;
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i], want[i]];
    const ordinary = Number.isFinite(a) && Number.isFinite(b);
    const same = ordinary ? near(a, b) : Object.is(a, b);
    if (!same) return `element ${i} of ${want.length}: got ${show(a)}, want ${show(b)}, ${verdict}`;
  }
  return null;
}

function show(x: number): string {
  return Object.is(x, -0) ? '-0' : String(x);
}

/** Asserts `max|got − want| ≤ tolerance·max(1, max|want|)`. */
export function closeTo(t: Test, got: Numbers, want: Numbers, tolerance: number, message: string): boolean {
  return report(t, difference(got, want, tolerance), message);
}

/** Asserts `|got − want| ≤ tolerance·|want|`, element by element. */
export function relativelyCloseTo(t: Test, got: Numbers, want: Numbers, tolerance: number, message: string): boolean {
  return report(t, relativeDifference(got, want, tolerance), message);
}

/** Asserts that the numbers are the same; NaN equals NaN, −0 equals 0 unless `signedZeros`. */
export function arraysEqual(
  t: Test,
  got: Numbers,
  want: Numbers,
  message: string,
  options: { signedZeros?: boolean } = {},
): boolean {
  return report(t, inequality(got, want, options), message);
}

function report(t: Test, problem: string | null, message: string): boolean {
  return problem === null ? t.pass(message) : t.fail(`${message}: ${problem}`);
}
