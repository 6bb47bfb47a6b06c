import type { FastPaths } from '../fast.js';
import type { WinogradChoice } from './choices.js';
import type { Machine } from './machine.js';
import { poolingKernels } from './pooling.js';
import { reductionKernels } from './reduction.js';

/**
 * Which row is sped up by which kernels. Most are offered by the module that holds the row, so that a program
 * without convolutions does not carry those of all kinds.
 */
export type Offer = (machine: Machine, winograd: WinogradChoice) => FastPaths;

const offers = new Set<Offer>();

/** The fast paths of machines in use, for which offers may still come: a page may load its layers late. */
const given = new Set<WeakRef<FastPaths>>();
const machines = new WeakMap<FastPaths, readonly [Machine, WinogradChoice]>();

/** Adds fast paths to every wasm backend, those that run already included. */
export function offer(make: Offer): void {
  if (offers.has(make)) return;
  offers.add(make);
  for (const reference of given) {
    const paths = reference.deref();
    const target = paths && machines.get(paths);
    if (target) Object.assign(paths, make(...target));
    else given.delete(reference);
  }
}

/** All that are offered; later ones join. */
export function fastPaths(machine: Machine, winograd: WinogradChoice): FastPaths {
  const paths = { kthSmallest: reductionKernels(machine).kthSmallest, ...poolingKernels(machine).fast };
  for (const make of offers) Object.assign(paths, make(machine, winograd));
  given.add(new WeakRef(paths));
  machines.set(paths, [machine, winograd]);
  return paths;
}
