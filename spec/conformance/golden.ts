import { tensor } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

/** An array of a golden file: row-major numbers and their shape. */
export interface GoldenArray {
  readonly shape: number[];
  readonly data: number[];
}

/** One JSON object of a golden file. */
export type Json = { readonly [key: string]: unknown };

export function isArray(value: unknown): value is GoldenArray {
  return typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
}

/** A list of objects under `key`; empty if the file has none. */
export function list(json: Json, key: string): Json[] {
  const value = json[key] ?? [];
  if (!Array.isArray(value)) throw new DataError('golden', `${key} should be a list`);
  return value as Json[];
}

export function object(json: Json, key: string): Json {
  const value = json[key];
  if (typeof value !== 'object' || value === null) throw new DataError('golden', `${key} should be an object`);
  return value as Json;
}

export function number(json: Json, key: string): number {
  const value = json[key];
  if (typeof value !== 'number') throw new DataError('golden', `${key} should be a number`);
  return value;
}

export function text(json: Json, key: string): string {
  const value = json[key];
  if (typeof value !== 'string') throw new DataError('golden', `${key} should be a string`);
  return value;
}

export function flag(json: Json, key: string): boolean {
  return json[key] === true;
}

/** The numbers under `key`, of an array or a scalar. */
export function numbers(json: Json, key: string): number[] {
  const value = json[key];
  if (typeof value === 'number') return [value];
  if (Array.isArray(value)) return value as number[];
  if (isArray(value)) return value.data;
  throw new DataError('golden', `${key} should be an array`);
}

/** The array under `key` as a float32 tensor on the current backend. */
export function tensorOf(json: Json, key: string): Tensor {
  const value = json[key];
  if (typeof value === 'number') return tensor(value);
  if (!isArray(value)) throw new DataError('golden', `${key} should be an array`);
  return tensor(Float32Array.from(value.data), value.shape);
}
