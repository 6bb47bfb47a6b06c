import { formatShape } from '../../../tensor/errors.js';
import { axesOf, constantAt, type Inputs, numberAt, optionalAt, type Reader, tracedAt } from './importArguments.js';
import { counted } from './importColumns.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import { divide } from './importProgram.js';
import type { MoveNode, Traced } from './importValues.js';
import { windowOf } from './importWindows.js';

const WHOLE = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;

/** The image that a node reads. */
function imageAt(node: ImportNode, inputs: Inputs): Traced {
  const x = tracedAt(node, inputs, 0);
  return x.shape.length === 4 ? x : node.fail(`reads ${formatShape(x.shape)}; images [N, C, H, W] are read`);
}

const maxPool: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  if (node.int('storage_order', 0) !== 0) node.fail('has storage_order');
  const { pads, ...window } = windowOf(node, x, null);
  const [top, left, bottom, right] = pads;
  if (top !== bottom || left !== right) node.fail(`has pads ${formatShape(pads)}, which differ from side to side`);
  const outside = [top, left].some((pad, i) => pad >= window.kernel[i] || (pad > 0 && window.dilation[i] > 1));
  if (outside) node.fail('may have windows that lie outside of the image');
  return importer.move(node, x, { op: 'maxPool', inputs: [], ...window, padding: [top, left] });
};

const globalMaxPool: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  return importer.move(node, x, { op: 'maxPool', inputs: [], ...WHOLE, kernel: [x.shape[2], x.shape[3]] });
};

/** The sum over windows, then the division by their size. */
function averaged(
  node: ImportNode,
  importer: Importer,
  x: Traced,
  window: Omit<Extract<Parameters<Importer['made']>[2], { op: 'sumPool' }>, 'op' | 'inputs'>,
): Traced {
  const settled = importer.settle(node, x);
  const sums = importer.made(node, node.name, { op: 'sumPool', inputs: [settled.source], ...window }, settled.grid);
  const [kh, kw] = window.kernel ?? [x.shape[2], x.shape[3]];
  const area = kh * kw;
  if (area === 1) return sums;
  const followed = importer.follow(node, sums, divide([area]), { ...sums.grid, step: sums.grid.step / area });
  return { ...followed, plain: true };
}

const averagePool: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  const { pads, ...window } = windowOf(node, x, null);
  const [top, left, bottom, right] = pads;
  const padded = pads.some((pad) => pad !== 0);
  if (padded && node.int('count_include_pad', 0) === 0) node.fail('divides by fewer pixels at the edges');
  if (top !== bottom || left !== right) node.fail(`has pads ${formatShape(pads)}, which differ from side to side`);
  return averaged(node, importer, x, { ...window, padding: [top, left] });
};

const globalAveragePool: Reader = (node, inputs, importer) =>
  averaged(node, importer, imageAt(node, inputs), { ...WHOLE, kernel: null });

/** The planes of an image, as axes that are summed or averaged over. @returns whether they stay, of extent 1 */
function planes(node: ImportNode, inputs: Inputs): boolean {
  const axes = axesOf(node, inputs, 4);
  if (axes === null || axes.slice().sort().join() !== '2,3') node.fail('joins other axes than those of the image');
  return node.int('keepdims', 1) !== 0;
}

/** Sums of thresholds that are reached, or of planes. */
const reduceSum: Reader = (node, inputs, importer) => {
  const [column] = inputs;
  if (column?.kind === 'column') return counted(node, inputs, importer, column);
  const keeps = planes(node, inputs);
  const x = importer.settle(node, imageAt(node, inputs));
  const given = { op: 'sumPool', inputs: [x.source], ...WHOLE, kernel: null } as const;
  const sums = importer.made(node, node.name, given, { step: x.grid.step, integer: x.integer });
  return keeps ? sums : importer.move(node, sums, { op: 'reshape', inputs: [], shape: [-1] });
};

const reduceMean: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  const keeps = planes(node, inputs);
  const mean = averaged(node, importer, x, { ...WHOLE, kernel: null });
  return keeps ? mean : importer.move(node, mean, { op: 'reshape', inputs: [], shape: [-1] });
};

/** Which pixel each row of a larger image shows, by ONNX's formulas. */
function sourceOf(node: ImportNode, mode: string, rounding: string, extent: number, factor: number) {
  const out = extent * factor;
  const place: Readonly<Record<string, (i: number) => number>> = {
    asymmetric: (i) => i / factor,
    half_pixel: (i) => (i + 0.5) / factor - 0.5,
    half_pixel_symmetric: (i) => (i + 0.5) / factor - 0.5,
    pytorch_half_pixel: (i) => (out > 1 ? (i + 0.5) / factor - 0.5 : 0),
    align_corners: (i) => (out > 1 ? (i * (extent - 1)) / (out - 1) : 0),
    tf_half_pixel_for_nn: (i) => (i + 0.5) / factor,
  };
  const nearest: Readonly<Record<string, (x: number) => number>> = {
    floor: Math.floor,
    ceil: Math.ceil,
    round_prefer_floor: (x) => Math.ceil(x - 0.5),
    round_prefer_ceil: (x) => Math.floor(x + 0.5),
  };
  if (!Object.hasOwn(place, mode)) node.fail(`has coordinate_transformation_mode ${mode}`);
  if (!Object.hasOwn(nearest, rounding)) node.fail(`has nearest_mode ${rounding}`);
  return (i: number) => Math.min(extent - 1, Math.max(0, nearest[rounding](place[mode](i))));
}

/** Nearest up-sampling by one whole factor, if that is what scales and rounding come to. */
function upsampled(
  node: ImportNode,
  importer: Importer,
  x: Traced,
  scales: readonly number[],
  legacy: boolean,
): Traced {
  const mode = node.string('mode', 'nearest');
  if (mode !== 'nearest') node.fail(`resizes by ${mode}; nearest is read`);
  const [n, c, factor, across] = scales;
  if (scales.length !== 4 || n !== 1 || c !== 1 || factor !== across || !Number.isInteger(factor) || factor < 1) {
    node.fail(`resizes by ${formatShape(scales)}; one whole factor for height and width is read`);
  }
  if (factor > 64) node.fail(`resizes by ${factor}; 64 is the most`);
  const coordinates = legacy ? 'asymmetric' : node.string('coordinate_transformation_mode', 'half_pixel');
  const rounding = legacy ? 'floor' : node.string('nearest_mode', 'round_prefer_floor');
  for (const extent of x.shape.slice(2)) {
    if (extent > 2 ** 16) node.fail(`resizes an image of ${formatShape(x.shape)}`);
    const from = sourceOf(node, coordinates, rounding, extent, factor);
    for (let i = 0; i < extent * factor; i++) {
      if (from(i) !== Math.floor(i / factor)) {
        node.fail(`does not repeat pixels: ${coordinates} with ${rounding} shows pixel ${from(i)} at ${i}`);
      }
    }
  }
  return factor === 1 ? x : importer.move(node, x, { op: 'upsample', inputs: [], factor });
}

const resize: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  if (node.opset < 11) return upsampled(node, importer, x, listAt(node, inputs, 1, 'scales'), true);
  if (node.has('axes')) node.fail('resizes named axes, which is not read');
  const scales = optionalAt(node, inputs, 2, 'scales');
  if (scales && scales.data.length > 0) return upsampled(node, importer, x, Array.from(scales.data), false);
  const sizes = listAt(node, inputs, 3, 'sizes');
  return upsampled(
    node,
    importer,
    x,
    sizes.map((size, axis) => size / x.shape[axis]),
    false,
  );
};

const listAt = (node: ImportNode, inputs: Inputs, i: number, what: string) =>
  Array.from(constantAt(node, inputs, i, `list of ${what}`).data);

const upsample: Reader = (node, inputs, importer) => {
  const scales = node.has('scales') ? node.floats('scales') : listAt(node, inputs, 1, 'scales');
  return upsampled(node, importer, imageAt(node, inputs), scales, true);
};

const depthToSpace: Reader = (node, inputs, importer) => {
  const x = imageAt(node, inputs);
  const factor = node.int('blocksize');
  const mode = node.string('mode', 'DCR');
  const [, channels, height, width] = x.shape;
  if (factor < 1 || factor > 64 || channels % factor ** 2 !== 0) {
    node.fail(`makes blocks of ${factor} from ${channels} channels`);
  }
  if (mode === 'CRD') return importer.move(node, x, { op: 'pixelShuffle', inputs: [], factor });
  if (mode !== 'DCR') node.fail(`has mode ${mode}; DCR and CRD are read`);
  const made = channels / factor ** 2;
  const moves: readonly MoveNode[] = [
    { op: 'reshape', inputs: [], shape: [factor, factor, made, height, width] },
    { op: 'permute', inputs: [], axes: [0, 3, 4, 1, 5, 2] },
    { op: 'reshape', inputs: [], shape: [made, height * factor, width * factor] },
  ];
  return moves.reduce((value, move) => importer.move(node, value, move), x);
};

const pad: Reader = (node, inputs, importer) => {
  const x = tracedAt(node, inputs, 0, true);
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant') node.fail(`pads by ${mode}; zeros are read`);
  if (inputs[3]) node.fail('pads named axes, which is not read');
  const fill = inputs[2] ? numberAt(node, inputs, 2, 'value') : node.float('value', 0);
  const pads = node.opset < 11 ? node.ints('pads') : listAt(node, inputs, 1, 'pads');
  if (pads.every((each) => each === 0)) return x;
  if (fill !== 0 || x.shape.length !== 4 || pads.length !== 8 || [0, 1, 4, 5].some((i) => pads[i] !== 0)) {
    node.fail(`pads ${formatShape(x.shape)} by ${formatShape(pads)} with ${fill}; zeros around images are read`);
  }
  if (!pads.every((each) => Number.isInteger(each) && each >= 0 && each <= 1024)) {
    node.fail(`pads by ${formatShape(pads)}; 0 … 1024 are read`);
  }
  const [top, left, bottom, right] = [pads[2], pads[3], pads[6], pads[7]].map((each, i) => each + (x.pads?.[i] ?? 0));
  const settled = importer.settle(node, { ...x, pads: null });
  return { ...settled, pads: [top, left, bottom, right] };
};

export const IMAGES = {
  MaxPool: maxPool,
  GlobalMaxPool: globalMaxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  ReduceMean: reduceMean,
  ReduceSum: reduceSum,
  Resize: resize,
  Upsample: upsample,
  DepthToSpace: depthToSpace,
  Pad: pad,
} as const satisfies Record<string, Reader>;
