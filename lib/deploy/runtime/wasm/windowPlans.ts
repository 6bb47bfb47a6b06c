import type { ConvNode, GraphNode, IntegerTensor, MaxPoolNode, SumPoolNode } from '../../graph/graph.js';
import { extremesOf } from '../../graph/ranges.js';
import { bitsOf, convolutionJob, METHOD_NAMES, methodFor } from './convolution.js';
import type { Job } from './engine.js';
import { finishOf, RAW } from './finish.js';
import { moveJob, movingKernel } from './moves.js';
import { bytesOf, type Place, planesOf } from './places.js';
import type { Planning } from './planning.js';
import { foldedWeights, plainWeights, type TapWeights, type TapWindow, tapWindow } from './taps.js';
import { allowsWinograd, tiledCost } from './winograd.js';

/** A node that slides a window, with what is known before anything has its place. */
export interface Windowed {
  readonly node: ConvNode | MaxPoolNode | SumPoolNode;
  readonly window: TapWindow;
  /** Null for maxima. */
  readonly weights: TapWeights | null;
  /** Rows and columns of the results, before phases of a resized image are put together. */
  readonly height: number;
  readonly width: number;
  /** r if the kernel makes r² phases of the result. */
  readonly folded: number;
  /** Whether tiles of 2 × 2 results are made at once. */
  readonly isTiled?: boolean;
}

/** The window of a node; null if it has none. Demands its room around images. */
export function windowed(planning: Planning, node: GraphNode): Windowed | null {
  const found = windowOf(planning, node);
  if (found !== null) demand(planning, found);
  return found;
}

function windowOf(planning: Planning, node: GraphNode): Windowed | null {
  const { graph, shapes } = planning;
  const [, , height, width] = [...((shapes.get(node.inputs[0]) ?? []) as readonly number[]), 0, 0, 0, 0];
  const [, channels, oh, ow] = [...((shapes.get(node.name) ?? []) as readonly number[]), 0, 0, 0];
  if (node.op === 'maxPool') {
    const window = tapWindow(node, node.kernel, height, width);
    return { node, window, weights: null, height: oh, width: ow, folded: 1 };
  }
  if (node.op === 'sumPool' && node.kernel !== null) {
    const window = tapWindow(node, node.kernel, height, width);
    const ones = new Int32Array(channels * window.taps.length).fill(1);
    const weights = { outputs: channels, perGroup: 1, groups: channels, window, weights: ones };
    return { node, window, weights, height: oh, width: ow, folded: 1 };
  }
  if (node.op !== 'conv') return null;
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const r = node.resize;
  if (r > 1 && node.stride.every((stride) => stride === 1)) {
    const weights = foldedWeights(node, shape, data, { height, width });
    const size = { height: Math.ceil(oh / r), width: Math.ceil(ow / r) };
    return { node, window: weights.window, weights, ...size, folded: r };
  }
  const weights = plainWeights(node, shape, data, { height: height * r, width: width * r });
  if (prefersTiles(planning, node, weights, height, width)) {
    const tile = { stride: [2, 2], padding: [1, 1], dilation: [1, 1] } as const;
    const window = tapWindow(tile, [4, 4], height, width);
    const size = { height: Math.ceil(height / 2), width: Math.ceil(width / 2) };
    return { node, window, weights: { ...weights, window }, ...size, folded: 2, isTiled: true };
  }
  return { node, window: weights.window, weights, height: oh, width: ow, folded: 1 };
}

/** Fewest tiles worth it. */
const FEWEST_TILES = 64;

/** Whether tiles take less time than the best that works pixel by pixel. */
function prefersTiles(planning: Planning, node: ConvNode, weights: TapWeights, height: number, width: number): boolean {
  const { engine, graph, options } = planning;
  const range = planning.rangeOf(node.name);
  const x = { ...extremesOf(planning.rangeOf(node.inputs[0])), width: planning.widthOf(node.inputs[0]) };
  if (!allowsWinograd(node, graph.tensors.get(node.weights) as IntegerTensor, x, range)) return false;
  if (options.method !== undefined) return options.method === 'winograd';
  const direct = methodFor(engine.simd, x, weights, range);
  const [rows, columns] = [Math.ceil(height / 2) + 1, Math.ceil(width / 2) + 1];
  // Few tiles do not make up for weights that are almost twice as many.
  if (planning.grids.images * rows * columns < FEWEST_TILES) return false;
  const waste = (4 * rows * columns) / ((height + 1) * (width + 1));
  return direct === null || tiledCost(weights) * waste < direct.cost;
}

/** Room around the images of a grid, so that taps outside read zeros. */
function demand({ grids }: Planning, { window, height, width }: Windowed): void {
  const down = window.taps.map((tap) => tap.down);
  const across = window.taps.map((tap) => tap.across);
  const rows = Math.max(...window.phases.map((phase) => phase.height));
  const columns = Math.max(...window.phases.map((phase) => phase.width));
  grids.need(height, width, {
    rowStep: Math.max(width, columns, width + Math.max(...across), columns - Math.min(...across)),
    rows: Math.max(height, rows, height + Math.max(...down), rows - Math.min(...down)),
    up: Math.max(0, -Math.min(...down)),
    left: Math.max(0, -Math.min(...across)),
  });
}

/** The phases of a value on the grid of a window's results, `[phase][channel]`: the value itself where it is that. */
function phasesOf(planning: Planning, { window, height, width, node, folded }: Windowed): Place {
  let x = planning.place(node.inputs[0]);
  const resize = node.op === 'conv' && folded === 1 ? node.resize : 1;
  if (resize > 1) x = repeated(planning, x, resize);
  const [channels, rows, columns] = planesOf(x.shape);
  if (window.stride.every((stride) => stride === 1) && rows === height && columns === width) return x;
  const { engine, grids, steps } = planning;
  const images = x.grid.images;
  const all = grids.place([images, window.phases.length * channels, height, width], x.low, x.high, x.width);
  const bytes = bytesOf(x.width);
  for (const [i, phase] of window.phases.entries()) {
    const from = {
      address: x.address + (phase.top * x.grid.rowStep + phase.left) * bytes,
      strides: [x.grid.lanes, x.grid.imageStep, x.grid.rowStep * window.stride[0], window.stride[1]],
    };
    const to = {
      address: all.address + i * channels * all.grid.lanes * bytes,
      strides: [all.grid.lanes, all.grid.imageStep, all.grid.rowStep, 1],
    };
    const scaled = ({ address, strides }: typeof from) => ({ address, strides: strides.map((step) => step * bytes) });
    const extents = [channels, images, phase.height, phase.width];
    steps.push(moveJob(engine, movingKernel(x.width, x.width), extents, scaled(from), scaled(to)));
  }
  return all;
}

/** A copy of a place with each pixel r × r times. */
export function repeated(planning: Planning, x: Place, r: number): Place {
  const [n, c, h, w] = x.shape;
  const out = planning.grids.place([n, c, h * r, w * r], x.low, x.high, x.width);
  planning.steps.push(repeatJob(planning, x, out, r));
  return out;
}

/** Every pixel of x, r × r times, to `out`. */
export function repeatJob({ engine }: Planning, x: Place, out: Place, r: number): Job {
  const [n, c, h, w] = x.shape;
  const bytes = bytesOf(x.width);
  const strides = ({ grid }: Place, steps: readonly number[]) =>
    [grid.imageStep, grid.lanes, ...steps].map((step) => step * bytes);
  const from = { address: x.address, strides: strides(x, [x.grid.rowStep, 0, 1, 0]) };
  const to = { address: out.address, strides: strides(out, [out.grid.rowStep * r, out.grid.rowStep, r, 1]) };
  return moveJob(engine, movingKernel(x.width, out.width), [n, c, h, r, w, r], from, to);
}

/** A convolution or a sum over windows, with the requantization that follows it if it can be. */
export function planSums(planning: Planning, windowed: Windowed & { readonly weights: TapWeights }): void {
  const { node, weights, folded } = windowed;
  const { engine, graph, options } = planning;
  if (planning.place(node.inputs[0]).width === 'int32') {
    planning.host(node);
    return;
  }
  const range = planning.rangeOf(node.name);
  const input = planning.place(node.inputs[0]);
  const chosen = windowed.isTiled
    ? ({ method: 'winograd', cost: tiledCost(weights) } as const)
    : methodFor(engine.simd, input, weights, range, options.method);
  if (chosen === null) {
    planning.host(node);
    return;
  }
  const x = phasesOf(planning, windowed);
  const next = planning.following(node);
  const channels = planning.shapeOf(node.name)[1];
  const finish =
    next === null || planning.widthOf(next.name) === 'int32'
      ? null
      : finishOf(engine, next, graph.tensors, range, channels, folded ** 2, bitsOf(chosen.method));
  const name = finish === null || next === null ? node.name : next.name;
  const out = planning.newPlace(name, finish === null ? 'int32' : undefined);
  const to = folded === 1 ? out : foldedPlace(planning, windowed, channels * folded ** 2, out);
  const { method, cost } = chosen;
  const jobs = [convolutionJob(engine, method, weights, { x, finish: finish ?? RAW, out: to, cost })];
  if (to !== out) jobs.push(...unfoldJobs(planning, to, out, folded));
  planning.add(node, METHOD_NAMES[method], jobs);
  if (finish !== null && next !== null) planning.say(next, `${finish.name} in ${node.name}`, jobs);
}

function foldedPlace({ grids }: Planning, { height, width }: Windowed, planes: number, out: Place): Place {
  return grids.place([out.grid.images, planes, height, width], out.low, out.high, out.width);
}

/** Puts the r² phases of an image together. */
function unfoldJobs({ engine }: Planning, from: Place, out: Place, r: number): readonly Job[] {
  const [images, channels, height, width] = out.shape;
  const bytes = bytesOf(out.width);
  return Array.from({ length: r * r }, (_, phase) => {
    const [down, across] = [Math.floor(phase / r), phase % r];
    const extents = [channels, images, Math.ceil((height - down) / r), Math.ceil((width - across) / r)];
    const source = [from.grid.lanes * r * r, from.grid.imageStep, from.grid.rowStep, 1];
    const target = [out.grid.lanes, out.grid.imageStep, out.grid.rowStep * r, r];
    return moveJob(
      engine,
      movingKernel(from.width, out.width),
      extents,
      { address: from.address + phase * from.grid.lanes * bytes, strides: source.map((step) => step * bytes) },
      {
        address: out.address + (down * out.grid.rowStep + across) * bytes,
        strides: target.map((step) => step * bytes),
      },
    );
  });
}

/** Maxima over windows, of integers that are at least 0, as the zeros around an image never win. */
export function planMaximum(planning: Planning, windowed: Windowed): void {
  const { node, window, height, width } = windowed;
  const { engine } = planning;
  const input = planning.place(node.inputs[0]);
  if (input.width === 'int32' || input.low < 0 || !reaches(windowed)) {
    planning.host(node);
    return;
  }
  const x = phasesOf(planning, windowed);
  const out = planning.newPlace(node.name, input.width);
  const [channels] = planesOf(input.shape);
  const { lanes, rowStep, mask } = planning.grids.of(height, width);
  const offsets = window.taps.map(({ phase, down, across }) => phase * channels * lanes + down * rowStep + across);
  const job: Job = {
    kernel: input.width === 'uint8' ? 'maximumUnsigned' : 'maximum',
    units: channels,
    cost: (lanes / 16) * (offsets.length + 1) * 0.4,
    scratch: 0,
    arguments: [
      ...[x.address, lanes, engine.keep(Int32Array.from(offsets)), offsets.length],
      ...[lanes, mask, out.address],
    ],
  };
  planning.add(node, 'maxima int8', [job]);
}

/** Whether every window touches the image. */
function reaches({ window, height, width }: Windowed): boolean {
  const touches = (extent: number, shifts: readonly (readonly [number, number])[]) =>
    Array.from({ length: extent }, (_, at) => shifts.some(([shift, end]) => at + shift >= 0 && at + shift < end)).every(
      (touched) => touched,
    );
  const { phases, taps } = window;
  return (
    touches(
      height,
      taps.map(({ phase, down }) => [down, phases[phase].height]),
    ) &&
    touches(
      width,
      taps.map(({ phase, across }) => [across, phases[phase].width]),
    )
  );
}
