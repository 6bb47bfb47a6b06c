import { PANEL_BYTES, PIXELS, ROWS, TILE_BYTES } from './assembly/blocking.js';
import type { Job, Machine } from './machine.js';
import { isAdjacent3x3, layOut, type Plan, RATE, type Sliding, stackImages } from './plan.js';
import { windowStrategy } from './strategy.js';

/** Pixels a block of narrow images should have together, for whole tiles. */
const BLOCK_PIXELS = 64;

/** Bytes of the padded copy of a band. */
const BAND_BYTES = 1 << 18;

/** Weights of one pass: which of their axes are outputs and which are summed; byte strides. */
export interface Filters {
  readonly address: number;
  readonly group: number;
  readonly row: number;
  readonly channel: number;
}

/** Runs one sliding product by the kernel that suits its shape. */
export function slide(machine: Machine, sliding: Sliding, filters: Filters): void {
  const strategy = windowStrategy(sliding);
  machine.note(strategy.algorithm);
  if (strategy.kind === 'tiles') slideTiles(machine, sliding, filters, strategy.gathered);
  else if (strategy.kind === 'pointwise') slidePoints(machine, sliding, filters);
  else slideDepthwise(machine, sliding, filters);
}

function slidePoints(machine: Machine, sliding: Sliding, filters: Filters): void {
  const { source, out } = sliding;
  const strips = source.groups * Math.ceil((source.images * out.height * out.width) / PIXELS);
  const { plan } = layOut(sliding);
  plan.bands = machine.bandsFor(strips, Math.ceil(out.channels / ROWS));
  plan.channelBytes = plan.sourceChannel;
  const depth = source.channels;
  withWeights(machine, plan, sliding, [0], filters, (address) => {
    const pixels = source.images * out.height * out.width;
    const units = strips * plan.bands;
    const cost = (source.groups * pixels * plan.rows * depth) / RATE / units;
    const scratch = TILE_BYTES + PIXELS * 8 + 64 + PIXELS * depth * 4;
    machine.run('pointwise', { units, pieces: 4, cost, scratch: () => scratch }, address);
  });
}

/**
 * Bands of rows an image is done in, so that all threads have work and a padded copy stays in the second-level cache.
 */
function bandsOf(machine: Machine, sliding: Sliding): number {
  const { source, out } = sliding;
  const { plan } = layOut(sliding);
  const bands = Math.ceil((plan.channels * plan.channelBytes) / BAND_BYTES);
  return Math.min(out.height, Math.max(bands, machine.bandsFor(source.images * source.groups, out.height)));
}

function slideTiles(machine: Machine, sliding: Sliding, filters: Filters, gathered: boolean): void {
  const { source, out, taps } = sliding;
  const bands = gathered ? 1 : bandsOf(machine, sliding);
  const { plan, tapOffsets } = layOut(sliding, bands);
  plan.gathered = gathered ? 1 : 0;
  if (gathered) stackImages(plan, Math.ceil(BLOCK_PIXELS / (out.height * out.width)));
  withWeights(machine, plan, sliding, tapOffsets, filters, (address) => {
    machine.run('convolve', tileJob(plan, source.channels * taps.length), address);
  });
}

/** Packs weights and lists the offsets of windows, for `work` on the finished plan. */
function withWeights(
  machine: Machine,
  plan: Plan,
  { source, out, taps }: Sliding,
  tapOffsets: readonly number[],
  filters: Filters,
  work: (plan: number) => void,
): void {
  const panels = Math.ceil(out.channels / ROWS);
  const depth = source.channels * taps.length;
  plan.weightGroup = panels * depth * PANEL_BYTES;
  machine.borrow(plan.weightGroup * source.groups + depth * 4, (buffer) => {
    plan.weights = buffer;
    plan.offsets = buffer + plan.weightGroup * source.groups;
    plan.tapOffsets = machine.words(tapOffsets);
    const address = machine.plan('Plan', plan);
    machine.runOnce('windowOffsets', address);
    machine.run(
      'packWeights',
      { units: panels * source.groups, pieces: 4, cost: depth * 3 },
      ...([filters.address, filters.group, filters.row, filters.channel] as const),
      ...([out.channels, source.channels, taps.length, machine.words(taps.map((tap) => tap.weight)), buffer] as const),
    );
    work(address);
  });
}

function tileJob(plan: Plan, depth: number): Job {
  const padded = plan.channels * plan.channelBytes;
  const pixels = plan.block * plan.outHeight * plan.outWidth;
  const gathering = plan.gathered ? pixels * 8 + 64 + Math.ceil(pixels / 8) * depth * 32 : 0;
  const units = plan.gathered
    ? Math.ceil(plan.images / plan.block) * plan.groups
    : plan.images * plan.groups * plan.bands;
  const work = plan.images * plan.groups * plan.rows * depth * plan.outHeight * plan.outWidth;
  return { units, pieces: 4, cost: work / RATE / units, scratch: () => TILE_BYTES + padded + gathering };
}

function slideDepthwise(machine: Machine, sliding: Sliding, filters: Filters): void {
  const { source, out } = sliding;
  const taps = [...sliding.taps].sort((a, b) => a.row - b.row || a.column - b.column);
  const { plan, tapOffsets } = layOut({ ...sliding, taps });
  plan.gathered = isAdjacent3x3(plan, tapOffsets) ? 1 : 0;
  const count = source.groups * out.channels * taps.length;
  machine.borrow(count * 4, (buffer) => {
    const floats = machine.floats;
    let to = buffer / 4;
    for (let group = 0; group < source.groups; group++) {
      for (let row = 0; row < out.channels; row++) {
        const filter = filters.address + group * filters.group + row * filters.row;
        for (const tap of taps) floats[to++] = floats[(filter + tap.weight) / 4];
      }
    }
    plan.weights = buffer;
    plan.tapOffsets = machine.words(tapOffsets);
    const cost = (out.channels * taps.length * out.height * out.width) / (RATE / 2);
    const job = { units: source.images * source.groups, pieces: 4, cost, scratch: () => plan.planeBytes };
    machine.run('depthwise', job, machine.plan('Plan', plan));
  });
}
