import type { Engine, Job, KernelName } from './engine.js';
import { bytesOf, type Place, stridesOf, type Width } from './places.js';

/** Axes a move can have. */
export const MOST_AXES = 6;

/** Somewhere in memory, with a stride for each axis of what is moved. */
export interface End {
  readonly address: number;
  readonly strides: readonly number[];
}

/** Copies integers `extents` from one place to another. @param kernel for their widths */
export function moveJob(engine: Engine, kernel: KernelName, extents: readonly number[], from: End, to: End): Job {
  const missing = MOST_AXES - extents.length;
  const axes = (values: readonly number[], filler: number) => [...new Array(missing).fill(filler), ...values];
  const all = axes(extents, 1);
  const dims = Int32Array.from([...all, ...axes(from.strides, 0), ...axes(to.strides, 0)]);
  // The first two axes are units; those missing are ones.
  const units = all[0] * all[1];
  const inner = all.slice(2).reduce((product, extent) => product * extent, 1);
  return { kernel, units, cost: inner, scratch: 0, arguments: [from.address, to.address, engine.keep(dims)] };
}

/** The kernel that moves integers of a width to int32 or, as they are, to bytes. */
export function movingKernel(from: Width, to: Width): KernelName {
  if (from === 'int32') return to === 'int32' ? 'moveWords' : 'narrow';
  if (to === 'int32') return from === 'uint8' ? 'widenUnsigned' : 'widen';
  return 'moveBytes';
}

/** Where a place's elements are, axis by axis. */
export function endOf(place: Place): End {
  return { address: place.address, strides: stridesOf(place) };
}

/** Strides of a shape in row-major order, in bytes. */
export function rowMajor(shape: readonly number[], bytes: number): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, bytes));
}

/** Every element of one place to another of the same shape. */
export function placeToPlace(engine: Engine, from: Place, to: Place): Job {
  return moveJob(engine, movingKernel(from.width, to.width), from.shape, endOf(from), endOf(to));
}

/** A place to row-major memory of a width. */
export function unpackJob(engine: Engine, place: Place, width: Width, address: number): Job {
  const to = { address, strides: rowMajor(place.shape, bytesOf(width)) };
  return moveJob(engine, movingKernel(place.width, width), place.shape, endOf(place), to);
}

/** Row-major memory of a width to a place. */
export function packJob(engine: Engine, width: Width, address: number, place: Place): Job {
  const from = { address, strides: rowMajor(place.shape, bytesOf(width)) };
  return moveJob(engine, movingKernel(width, place.width), place.shape, from, endOf(place));
}
