import { ArgumentError, formatShape } from './errors.js';
import type { Shape } from './shape.js';
import type { DType } from './storage.js';
import { Tensor } from './tensor.js';

/** Checks of what callers hand over where no compiler looks: each a comparison, each error names what came instead. */

/** What a value is, in a few words. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : `the number ${value}`;
  if (typeof value === 'string') return `the string '${value.length > 20 ? `${value.slice(0, 20)}…` : value}'`;
  if (typeof value === 'function') return `a function${value.name && ` ${value.name}`}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Promise) return 'a Promise: did you forget await?';
  if (typeof value === 'object') {
    const shape = 'storage' in value && 'shape' in value ? ` of shape ${formatShape(value.shape as Shape)}` : '';
    return `an object of class ${value.constructor?.name ?? 'none'}${shape}`;
  }
  return `a ${typeof value}`;
}

/** @throws ArgumentError unless `value` is a tensor */
export function asTensor<D extends DType>(op: string, name: string, value: Tensor<D>): Tensor<D> {
  if (value instanceof Tensor) return value;
  throw new ArgumentError(op, `${name} must be a tensor; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an array of tensors */
export function asTensors<D extends DType>(
  op: string,
  name: string,
  value: readonly Tensor<D>[],
): readonly Tensor<D>[] {
  for (const [i, x] of asList(op, name, value).entries()) asTensor(op, `${name}[${i}]`, x);
  return value;
}

/** @throws ArgumentError unless `value` is an array */
export function asList<T>(op: string, name: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value;
  throw new ArgumentError(op, `${name} must be an array; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` can be iterated over */
export function asIterable<T extends Iterable<unknown>>(op: string, name: string, value: T): T {
  if (typeof value === 'object') return asCapable(op, name, value, Symbol.iterator);
  throw new ArgumentError(op, `${name} must be an array or the like; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an array or a typed array */
export function asNumbers<T extends ArrayLike<unknown>>(op: string, name: string, value: T): T {
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) return value;
  throw new ArgumentError(op, `${name} must be an array of numbers; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an object of options, or of what else is named */
export function asOptions<T extends object>(op: string, value: T, name = 'options'): T {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ArgumentError(op, `${name} must be an object; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` has a method of that name: a layer factory, a port, a stand-in for a class */
export function asCapable<T>(op: string, name: string, value: T, method: string | symbol): T {
  if (typeof (value as Record<string | symbol, unknown> | null | undefined)?.[method] === 'function') return value;
  throw new ArgumentError(op, `${name} must have a method ${String(method)}; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is a function */
export function asFunction<T>(op: string, name: string, value: T): T {
  if (typeof value === 'function') return value;
  throw new ArgumentError(op, `${name} must be a function; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an instance of `type` */
export function asInstance<T>(op: string, name: string, value: T, type: abstract new (...args: never[]) => unknown): T {
  if (value instanceof type) return value;
  throw new ArgumentError(op, `${name} must be a ${type.name}; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is true or false: a string `'false'` would count as true */
export function asBoolean(op: string, name: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value;
  throw new ArgumentError(op, `${name} must be true or false; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is a string */
export function asString<T extends string>(op: string, name: string, value: T): T {
  if (typeof value === 'string') return value;
  throw new ArgumentError(op, `${name} must be a string; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an array of strings */
export function asStrings(op: string, name: string, value: readonly string[]): readonly string[] {
  for (const [i, each] of asList(op, name, value).entries()) asString(op, `${name}[${i}]`, each);
  return value;
}

/** @throws ArgumentError unless `value` is a number other than NaN */
export function asNumber(op: string, name: string, value: number): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  throw new ArgumentError(op, `${name} must be a number; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is an integer of `least` … `most` */
export function asInteger(op: string, name: string, value: number, least: number, most = 2 ** 31 - 1): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ArgumentError(op, `${name} must be an integer of ${least} … ${most}; got ${kindOf(value)}`);
}

/** @throws ArgumentError unless `value` is one of the names */
export function asChoice<T extends string>(op: string, name: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  const got = typeof value === 'string' ? `'${value}'` : kindOf(value);
  throw new ArgumentError(op, `${name} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}; got ${got}`);
}
