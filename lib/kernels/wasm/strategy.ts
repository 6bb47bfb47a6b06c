import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { ConvGeometry } from '../geometry.js';
import { ROWS } from './assembly/blocking.js';
import type { WinogradChoice } from './choices.js';
import { fitsPairs, fitsWinogradPairs, type Grid } from './grids.js';
import type { Sliding } from './plan.js';
import type { PlaneKind } from './planes.js';
import { type GradientWay, gradientStrides, type WinogradTile } from './winograd.js';

/**
 * Which algorithm a convolution or a gradient of it runs by. Every such choice stands here, made of shapes, geometry,
 * grids of the operands and the filtering asked for; `algorithm` is its name for `explain`.
 */

/**
 * An algorithm of the forward pass or of the gradient to the images; that of a sliding window is chosen window by
 * window.
 */
export type Strategy =
  | { readonly kind: 'planes'; readonly planes: Exclude<PlaneKind, 'rows'>; readonly algorithm: string }
  | { readonly kind: 'winograd'; readonly tile: WinogradTile; readonly algorithm: string }
  | { readonly kind: 'sliding' };

/** The same on exact products of pairs of integers. */
export type PairStrategy =
  | { readonly kind: 'winogradPairs'; readonly algorithm: string }
  | { readonly kind: 'slidingPairs' };

export type WindowStrategy =
  | { readonly kind: 'depthwise' | 'pointwise'; readonly algorithm: string }
  | { readonly kind: 'tiles'; readonly gathered: boolean; readonly algorithm: string };

export type WeightGradientStrategy =
  | { readonly kind: 'planes'; readonly planes: PlaneKind; readonly algorithm: string }
  | { readonly kind: 'winograd'; readonly way: GradientWay; readonly algorithm: string }
  | { readonly kind: 'depthwise' | 'correlation'; readonly algorithm: string };

/** Fewest channels on either side for which transforms, and pairs, pay. */
const FEWEST_CHANNELS = 8;
/** Least saving of multiplications, after tiles that stick out of the image. */
const LEAST_SAVING = 1.4;
/** Most bytes that transforms of all tiles may take. */
const MOST_BYTES = 1 << 27;
/** Bytes of sums that are not worth writing out, and of transforms that are not worth keeping. */
const MANY_SUMS = 1 << 24;
const MANY_TRANSFORMS = 1 << 24;

const PLANES = 'depthwise planes';
const WINOGRAD = { f2: 'Winograd F(2x2)', f4: 'Winograd F(4x4)' } as const;
const ON_PAIRS = ' on int16 pairs';

/** `conv2d` of x and w to `out`; `grids` are those of x and w, null to compute in floats. */
export function forwardStrategy(
  choice: WinogradChoice,
  x: Shape,
  w: Shape,
  out: Shape,
  geometry: ConvGeometry,
  grids: readonly [Grid, Grid] | null,
): Strategy | PairStrategy {
  const pass = { kernel: w.slice(2), outHeight: out[2], outWidth: out[3], channels: x[1], rows: w[0] };
  const pairs = grids && pairStrategy(choice, pass, geometry, grids, sizeOf(w) / w[0]);
  return pairs ?? floatStrategy(choice, planeKind(x, w, geometry), pass, geometry);
}

/** Its gradient to images of shape `x`. */
export function inputGradientStrategy(choice: WinogradChoice, x: Shape, w: Shape, geometry: ConvGeometry): Strategy {
  const pass = { kernel: w.slice(2), outHeight: x[2], outWidth: x[3], channels: w[0], rows: x[1] };
  return floatStrategy(choice, planeKind(x, w, geometry), pass, geometry);
}

/** Its gradient to weights of shape `w`; `g` is the gradient to its result. */
export function weightGradientStrategy(
  choice: WinogradChoice,
  x: Shape,
  w: Shape,
  g: Shape,
  geometry: ConvGeometry,
): WeightGradientStrategy {
  const planes = planeKind(x, w, geometry);
  if (planes) return { kind: 'planes', planes, algorithm: PLANES };
  const [rows, channels] = w;
  const pass = { kernel: w.slice(2), outHeight: g[2], outWidth: g[3], channels, rows };
  // F(2×2) has no gradient to the weights.
  if (choice === 'f4' && suitsWinograd(choice, pass, geometry)) {
    const way = gradientWay(channels, rows, g[0] * Math.ceil(g[2] / 4) * Math.ceil(g[3] / 4));
    if (way) return { kind: 'winograd', way, algorithm: WINOGRAD.f4 };
  }
  if (channels === 1 && rows / geometry.groups <= 2) return { kind: 'depthwise', algorithm: 'depthwise' };
  return { kind: 'correlation', algorithm: 'channels-last correlation' };
}

/** A window that slides over images: those of the forward pass, or a stride phase of the gradient to the images. */
export function windowStrategy(sliding: Sliding): WindowStrategy {
  const { source, out } = sliding;
  const suffix = sliding.scales ? ON_PAIRS : '';
  if (source.channels === 1 && out.channels <= 2) return { kind: 'depthwise', algorithm: `depthwise${suffix}` };
  if (isPointwise(sliding)) return { kind: 'pointwise', algorithm: `pointwise${suffix}` };
  const wasteInPlace = (8 * Math.ceil(out.width / 8)) / out.width;
  const wasteGathered = 1.05 + 0.9 / Math.ceil(out.channels / ROWS);
  const gathered = wasteGathered < wasteInPlace;
  return { kind: 'tiles', gathered, algorithm: `${gathered ? 'gathered' : 'sliding'} tiles${suffix}` };
}

/** What decides how a pass runs: the kernel, the extents of the result, channels read and written. */
interface Pass {
  readonly kernel: readonly number[];
  readonly outHeight: number;
  readonly outWidth: number;
  readonly channels: number;
  readonly rows: number;
}

function floatStrategy(choice: WinogradChoice, planes: PlaneKind | null, pass: Pass, geometry: ConvGeometry): Strategy {
  if (planes && planes !== 'rows') return { kind: 'planes', planes, algorithm: PLANES };
  if (choice !== 'off' && suitsWinograd(choice, pass, geometry)) {
    return { kind: 'winograd', tile: choice, algorithm: WINOGRAD[choice] };
  }
  return { kind: 'sliding' };
}

/** Integers, where sums of `terms` products are exact on these grids and the shape gains by it; else null. */
function pairStrategy(
  choice: WinogradChoice,
  pass: Pass,
  geometry: ConvGeometry,
  [x, w]: readonly [Grid, Grid],
  terms: number,
): PairStrategy | null {
  if (geometry.groups !== 1 || Math.min(pass.channels, pass.rows) < FEWEST_CHANNELS) return null;
  if (suitsWinograd('f4', pass, geometry)) {
    if (fitsWinogradPairs(x, w, terms)) return { kind: 'winogradPairs', algorithm: `${WINOGRAD.f4}${ON_PAIRS}` };
    // In floats, with four times fewer products, unless integers themselves are multiplied: their sums must be exact.
    if (choice === 'f4' && !(isUnit(x) && isUnit(w))) return null;
  }
  return fitsPairs(x, w, terms) ? { kind: 'slidingPairs' } : null;
}

/** Whether values on this grid are integers themselves. */
function isUnit({ scales }: Grid): boolean {
  return scales.every((scale) => scale === 1);
}

/** Which depthwise 3 × 3 kernel of planes suits images `x [N, C, H, W]` and `w`, or null. */
function planeKind(x: Shape, w: Shape, { stride, padding, dilation, groups }: ConvGeometry): PlaneKind | null {
  const isDepthwise = groups === x[1] && w[0] === x[1] && w[1] === 1;
  const isPlain = w[2] === 3 && w[3] === 3 && [...padding, ...dilation].every((each) => each === 1);
  if (!isDepthwise || !isPlain) return null;
  if (stride[0] === 1 && stride[1] === 1) return x[3] <= 4 ? 'narrow' : x[3] % 4 === 0 ? 'rows' : null;
  return stride[0] === 2 && stride[1] === 2 && x[2] % 2 === 0 && x[3] % 2 === 0 ? 'halving' : null;
}

/** Whether a pass gains by such tiles. */
function suitsWinograd(
  tile: WinogradTile,
  { kernel, outHeight, outWidth, channels, rows }: Pass,
  { stride, dilation, groups }: ConvGeometry,
): boolean {
  if (groups !== 1 || kernel[0] !== 3 || kernel[1] !== 3) return false;
  if (stride[0] * stride[1] !== 1 || dilation[0] * dilation[1] !== 1) return false;
  if (Math.min(channels, rows) < FEWEST_CHANNELS) return false;
  const [edge, saving] = tile === 'f4' ? [4, 4] : [2, 2.25];
  const covered = Math.ceil(outHeight / edge) * Math.ceil(outWidth / edge) * edge * edge;
  return (saving * outHeight * outWidth) / covered >= LEAST_SAVING;
}

/** How a weight gradient by F(4×4) goes about so many tiles; null if it would take too much memory. */
function gradientWay(channels: number, rows: number, tiles: number): GradientWay | null {
  const { patchTile, gradientTile, sumStep } = gradientStrides(channels, rows);
  const transforms = 36 * tiles * (patchTile + gradientTile);
  if (36 * sumStep > MANY_SUMS) return transforms <= MOST_BYTES ? 'panels' : null;
  return transforms <= MANY_TRANSFORMS ? 'frequencies' : 'segments';
}

/** Whether every output looks at one pixel, which is there. */
function isPointwise({ source, out, taps, top, left, rowStep, step }: Sliding): boolean {
  if (taps.length > 1 || top - taps[0].row !== 0 || left - taps[0].column !== 0) return false;
  return (out.height - 1) * rowStep < source.height && (out.width - 1) * step < source.width;
}
