import { isRecord } from './checkpoint.js';

/** Tells every place where two JSON values differ. */
export function compare(path: string, given: unknown, expected: unknown, into: string[]): void {
  if (isRecord(given) && isRecord(expected)) {
    for (const key of new Set([...Object.keys(given), ...Object.keys(expected)])) {
      compare(path === '' ? key : `${path}.${key}`, own(given, key), own(expected, key), into);
    }
  } else if (Array.isArray(given) && Array.isArray(expected) && given.length === expected.length) {
    for (const [i, value] of given.entries()) compare(`${path}[${i}]`, value, expected[i], into);
  } else if (given !== expected && !Object.is(given, expected)) {
    into.push(`${path} is ${brief(given)}; the files give ${brief(expected)}`);
  }
}

/** A member of a record, not what every object inherits: files may use any name. */
function own(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function brief(value: unknown): string {
  if (value === undefined) return 'absent';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
