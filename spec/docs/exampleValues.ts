import { isDeepStrictEqual } from 'node:util';

/** How far a number may lie from the one that is written, relative to it: what float32 keeps. */
const TOLERANCE = 1e-6;

/** Thrown when an example does not give what is written behind it. */
export class ExampleError extends Error {}

/**
 * The value a comment states: `4368.93…` cut off, `[1.75, −0.5]`, `'text'`, `true`; words may follow a colon. Undefined
 * if the comment is prose.
 */
export function statedValue(comment: string): string | undefined {
  const text = comment.trim();
  return /^(?:(?:\[.*?\]|'[^']*'|true|false|null|[−-]?\d[\d.e−-]*…?)(?=$|: ))/.exec(text)?.[0];
}

/** Holds what an expression gave to what is stated behind it. */
export function check(got: unknown, stated: string): void {
  const same = /…$/.test(stated) ? isCutOff(got, stated.slice(0, -1)) : near(got, parse(stated));
  if (!same) throw new ExampleError(`got ${JSON.stringify(got)}, stated ${stated}`);
}

function parse(stated: string): unknown {
  return JSON.parse(stated.replaceAll('−', '-').replaceAll("'", '"'));
}

/** Whether the digits of `got` begin with those stated. */
function isCutOff(got: unknown, stated: string): boolean {
  const digits = stated.replace('−', '-');
  const decimals = digits.split('.')[1] ?? '';
  return typeof got === 'number' && got.toFixed(decimals.length + 6).startsWith(digits);
}

function near(got: unknown, want: unknown): boolean {
  if (typeof got === 'number' && typeof want === 'number') return Math.abs(got - want) <= TOLERANCE * Math.abs(want);
  if (Array.isArray(want)) {
    const list: readonly unknown[] = Array.isArray(got) || ArrayBuffer.isView(got) ? Array.from(got as number[]) : [];
    return list.length === want.length && want.every((each, i) => near(list[i], each));
  }
  return isDeepStrictEqual(got, want);
}
