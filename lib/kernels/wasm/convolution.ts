import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../geometry.js';
import { PANEL_BYTES, PIXELS, ROWS, TILE_BYTES } from './assembly/blocking.js';
import type { Job, Machine } from './machine.js';
import { FILTER_GROWTH, fitsPairs, fitsWinogradPairs, withPairs } from './pairs.js';
import {
  type ImageTensor,
  imageTensor,
  isAdjacent3x3,
  kernelTaps,
  layOut,
  type Operand,
  type Plan,
  RATE,
  type Sliding,
  stackImages,
} from './plan.js';
import { planeForward, planeInputGradient, planeKind, planeWeightGradient } from './planes.js';
import { weightGradient } from './weightgrad.js';
import { type ConvolutionKind, FEWEST_CHANNELS, suitsWinograd, winograd } from './winograd.js';

/** Pixels a block of narrow images should have together, for whole tiles. */
const BLOCK_PIXELS = 64;

/** Bytes of the padded copy of a band. */
const BAND_BYTES = 1 << 18;

/** Convolution and its two gradients. */
export function convolutionKernels(machine: Machine) {
  return {
    conv2d(x: View, w: View, geometry: ConvGeometry): View {
      const planes = planeKind(x.shape, w.shape, geometry);
      return planes && planes !== 'rows' ? planeForward(machine, planes, x, w) : forward(machine, x, w, geometry);
    },
    conv2dInputGrad(g: View, w: View, shape: Shape, geometry: ConvGeometry): View {
      const planes = planeKind(shape, w.shape, geometry);
      return planes && planes !== 'rows'
        ? planeInputGradient(machine, planes, g, w, shape)
        : inputGradient(machine, g, w, shape, geometry);
    },
    conv2dWeightGrad(g: View, x: View, shape: Shape, geometry: ConvGeometry): View {
      const planes = planeKind(x.shape, shape, geometry);
      return planes
        ? planeWeightGradient(machine, planes, g, x, shape)
        : weightGradient(machine, g, x, shape, geometry);
    },
  };
}

/** Weights of one pass: which of their axes are outputs and which are summed; byte strides. */
interface Filters {
  readonly address: number;
  readonly group: number;
  readonly row: number;
  readonly channel: number;
}

function forward(machine: Machine, x: View, w: View, geometry: ConvGeometry): View {
  const { stride, padding, dilation } = geometry;
  const [outputs, , kh, kw] = w.shape;
  const extent = (axis: 0 | 1, size: number, kernel: number) =>
    Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1;
  const out = machine.output([x.shape[0], outputs, extent(0, x.shape[2], kh), extent(1, x.shape[3], kw)]);
  if (sizeOf(out.shape) === 0) return out;
  if (sizeOf(x.shape) === 0 || sizeOf(w.shape) === 0) return zeros(machine, out);
  const kind = {
    kernel: [kh, kw],
    outHeight: out.shape[2],
    outWidth: out.shape[3],
    channels: x.shape[1],
    rows: outputs,
  };
  if (forwardOnPairs(machine, x, w, kind, geometry, out)) return out;
  if (suitsWinograd(machine.winograd, kind, geometry)) {
    const [o, c, r, s] = w.strides.map((stride) => stride * 4);
    const filters = { address: machine.address(w), strides: [o, c, r, s] as const };
    machine.dense([x], (address) => winograd(machine, machine.winograd, { ...x, address }, filters, padding, out));
    return out;
  }
  slideForward(machine, machine.operand(x), machine.operand(w), geometry, out);
  return out;
}

/** By exact products of integers, if both operands lie on grids that allow it and the shape gains by it. */
function forwardOnPairs(
  machine: Machine,
  x: View,
  w: View,
  kind: ConvolutionKind,
  geometry: ConvGeometry,
  out: View,
): boolean {
  const gridX = machine.grids.of(x);
  const gridW = machine.grids.of(w);
  if (!gridX || !gridW || geometry.groups !== 1) return false;
  if (kind.channels < FEWEST_CHANNELS || kind.rows < FEWEST_CHANNELS) return false;
  const terms = sizeOf(w.shape) / kind.rows;
  const left = { view: x, grid: gridX };
  const right = { view: w, grid: gridW };
  if (suitsWinograd('f4', kind, geometry)) {
    if (fitsWinogradPairs(gridX, gridW, terms)) {
      return withPairs(machine, left, right, FILTER_GROWTH, (px, pw, scales) =>
        winograd(machine, 'f4', px, { address: pw.address, strides: [0, 0, 0, 0] }, geometry.padding, out, scales),
      );
    }
    // In floats, with four times fewer products.
    if (machine.winograd === 'f4') return false;
  }
  if (!fitsPairs(gridX, gridW, terms)) return false;
  return withPairs(machine, left, right, 1, (px, pw, scales) => slideForward(machine, px, pw, geometry, out, scales));
}

/** Without filtering; where operands are pairs of integers, `scales` is the address of each output channel's. */
function slideForward(machine: Machine, x: Operand, w: Operand, geometry: ConvGeometry, out: View, scales = 0): void {
  const { stride, padding, groups } = geometry;
  const sliding = {
    source: imageTensor(x, groups),
    out: imageTensor(machine.operand(out), groups),
    taps: kernelTaps(w, geometry),
    top: padding[0],
    left: padding[1],
    rowStep: stride[0],
    step: stride[1],
    scales,
  };
  const [outer, inner] = w.strides;
  const filters = { address: w.address, group: (w.shape[0] / groups) * outer * 4, row: outer * 4, channel: inner * 4 };
  slide(machine, sliding, filters);
}

/** One stride phase along an axis: which pixels it covers and how far back each tap looks in the output gradient. */
interface Phase {
  readonly first: number;
  readonly count: number;
  readonly before: number;
  readonly taps: readonly { readonly index: number; readonly distance: number }[];
}

/**
 * Pixel i receives g[(i + padding − r·dilation)/stride] for the taps r that divide evenly. Pixels of one remainder form a
 * phase: a stride-1 window over g whose taps are flipped.
 */
function phases(size: number, kernel: number, geometry: ConvGeometry, axis: 0 | 1): Phase[] {
  const stride = geometry.stride[axis];
  const padding = geometry.padding[axis];
  return Array.from({ length: stride }, (_, remainder) => {
    const looks = Array.from({ length: kernel }, (_, r) => ({ index: r, at: r * geometry.dilation[axis] }))
      .filter(({ at }) => at % stride === remainder)
      .map(({ index, at }) => ({ index, back: (at - remainder) / stride }));
    const reach = Math.max(0, ...looks.map(({ back }) => back));
    const position = Math.max(0, Math.ceil((padding - remainder) / stride));
    const first = stride * position + remainder - padding;
    return {
      first,
      count: Math.max(0, Math.ceil((size - first) / stride)),
      before: reach - position,
      taps: looks.map(({ index, back }) => ({ index, distance: reach - back })),
    };
  });
}

function inputGradient(machine: Machine, g: View, w: View, inputShape: Shape, geometry: ConvGeometry): View {
  const out = machine.output(inputShape);
  if (sizeOf(inputShape) === 0) return out;
  if (sizeOf(g.shape) === 0 || sizeOf(w.shape) === 0) return zeros(machine, out);
  const { groups, padding } = geometry;
  const [, channels, height, width] = inputShape;
  const kernel = w.shape.slice(2);
  const kind = { kernel, outHeight: height, outWidth: width, channels: w.shape[0], rows: channels };
  if (suitsWinograd(machine.winograd, kind, geometry)) {
    // The filters seen from behind: axes swapped, taps from the last to the first.
    const [o, c, r, s] = w.strides.map((stride) => stride * 4);
    const filters = { address: machine.address(w) + 2 * (r + s), strides: [c, o, -r, -s] as const };
    const around = [2 - padding[0], 2 - padding[1]] as const;
    machine.dense([g], (address) => winograd(machine, machine.winograd, { ...g, address }, filters, around, out));
    return out;
  }
  const source = imageTensor(machine.operand(g), groups);
  const target = imageTensor(machine.operand(out), groups);
  const filters = {
    address: machine.address(w),
    group: (w.shape[0] / groups) * w.strides[0] * 4,
    row: w.strides[1] * 4,
    channel: w.strides[0] * 4,
  };
  const vertical = phases(target.height, w.shape[2], geometry, 0);
  const horizontal = phases(target.width, w.shape[3], geometry, 1);
  if ([...vertical, ...horizontal].some((phase) => phase.taps.length === 0)) zeros(machine, out);
  for (const rows of vertical) {
    for (const columns of horizontal) {
      if (rows.count * columns.count * rows.taps.length * columns.taps.length === 0) continue;
      const taps = rows.taps.flatMap((r) =>
        columns.taps.map((s) => ({
          row: r.distance,
          column: s.distance,
          weight: (r.index * w.strides[2] + s.index * w.strides[3]) * 4,
        })),
      );
      const [image, channel, row, column] = target.strides;
      const phase: ImageTensor = {
        ...target,
        address: target.address + rows.first * row + columns.first * column,
        height: rows.count,
        width: columns.count,
        strides: [image, channel, row * vertical.length, column * horizontal.length],
      };
      slide(
        machine,
        { source, out: phase, taps, top: rows.before, left: columns.before, rowStep: 1, step: 1 },
        filters,
      );
    }
  }
  return out;
}

function zeros(machine: Machine, out: View): View {
  machine.run('fill', { units: sizeOf(out.shape), align: 16, cost: 0.3 }, 0, machine.address(out));
  return out;
}

/** Runs one sliding product by the kernel that suits its shape. */
function slide(machine: Machine, sliding: Sliding, filters: Filters): void {
  const { source, out } = sliding;
  if (source.channels === 1 && out.channels <= 2) slideDepthwise(machine, sliding, filters);
  else if (isPointwise(sliding)) slidePoints(machine, sliding, filters);
  else {
    const panels = Math.ceil(out.channels / ROWS);
    const wasteInPlace = (8 * Math.ceil(out.width / 8)) / out.width;
    const wasteGathered = 1.05 + 0.9 / panels;
    slideTiles(machine, sliding, filters, wasteGathered < wasteInPlace);
  }
}

/** Whether every output looks at one pixel, which is there. */
function isPointwise({ source, out, taps, top, left, rowStep, step }: Sliding): boolean {
  if (taps.length > 1 || top - taps[0].row !== 0 || left - taps[0].column !== 0) return false;
  return (out.height - 1) * rowStep < source.height && (out.width - 1) * step < source.width;
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

/** Bands of rows an image is done in, so that all threads have work and a padded copy stays in the second-level cache. */
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
