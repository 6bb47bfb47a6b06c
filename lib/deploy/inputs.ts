import { abs, div, max, neg, sub, sum } from '../autograd/ops.js';
import { fakeQuantize } from '../autograd/quantize.js';
import { watchRows } from '../autograd/row.js';
import { noGrad } from '../autograd/tape.js';
import type { Module } from '../nn/module.js';
import { ActivationQuantizer } from '../quant/activation.js';
import type { Batches } from '../quant/calibrate.js';
import { multipliesPlainly, QuantLayer, quantLayers } from '../quant/layers.js';
import { asInstance } from '../tensor/argument.js';
import { full } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { sameShape } from '../tensor/shape.js';
import { dispose, keep, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { copyOf } from './copyOf.js';
import { enterEvaluation } from './evaluationMode.js';
import { GridTrace, type Origin } from './gridTrace.js';
import type { WeightDraw } from './integerWeights.js';

/**
 * How it is known that the inputs of a layer are integers of the range its bits name: a forward pass was traced and
 * nothing but moving and choosing stands between quantizer and layer; or values of data were looked at; or the author
 * of the model says so by naming a quantizer as the layer's input.
 */
export type InputChecked = 'by construction' | 'by data' | "author's word" | 'refuted by data';

/** What is known of the inputs of a layer. */
export interface InputEvidence {
  readonly checked: InputChecked;
  /** What stands in the way of more; null by construction. */
  readonly reason: string | null;
  /** The integers met in the data, and in how many samples; null without data. */
  readonly seen: { readonly low: number; readonly high: number; readonly samples: number } | null;
}

/** What was learned by running a model. */
export interface Observation {
  readonly evidence: ReadonlyMap<QuantLayer, InputEvidence>;
  /** Dot products that ran outside of every quantized layer, by row. */
  readonly products: readonly string[];
  /** Layers that multiplied with other weights than those audited. */
  readonly otherWeights: ReadonlySet<QuantLayer>;
}

/** The weights of each layer that are audited, which its forward pass must multiply with. */
export type AuditedWeights = ReadonlyMap<QuantLayer, WeightDraw>;

/** What a layer alone tells of its inputs: whether it rounds them itself. */
export function ownEvidence(layer: QuantLayer): InputEvidence {
  const { inputQuant } = asInstance('audit', 'the layer', layer, QuantLayer);
  const rounds =
    inputQuant !== null &&
    inputQuant.forward === ActivationQuantizer.prototype.forward &&
    layer.forward === QuantLayer.prototype.forward;
  if (rounds) return { checked: 'by construction', reason: null, seen: null };
  return { checked: "author's word", reason: 'no forward pass was traced', seen: null };
}

/**
 * Runs batches through a model in evaluation mode and looks at what reaches its quantized layers.
 * @param values whether the batches are data, whose values count; false traces the first one only
 * @throws DataError if there is no batch
 */
export async function observeInputs(
  model: Module,
  batches: Batches,
  values: boolean,
  audited: AuditedWeights,
): Promise<Observation> {
  const layers = [...quantLayers(model)].map(([, layer]) => layer);
  const evidence = new Map<QuantLayer, InputEvidence>();
  const products = new Set<string>();
  const otherWeights = new Set<QuantLayer>();
  for await (const batch of batches) {
    const { trace, calls } = runOnce(model, layers, batch, (layer, x, w) => ({
      apart: apart(w, audited.get(layer)?.value),
      measured: values ? measure(layer, x) : null,
    }));
    for (const row of trace.products) products.add(row);
    for (const { layer, told } of calls) if ((await told.apart.item()) !== 0) otherWeights.add(layer);
    for (const layer of layers) {
      const own = calls.filter((call) => call.layer === layer);
      const found = await judge(own, layer, values ? (batch.shape[0] ?? 1) : null);
      const wrong = found.checked === 'refuted by data' ? await offender(model, layer, batch) : null;
      evidence.set(layer, combine(evidence.get(layer), wrong === null ? found : { ...found, reason: wrong }));
    }
    dispose(calls.map(({ told }) => told));
    trace.dispose();
    if (!values) break;
  }
  if (evidence.size < layers.length) throw new DataError('audit', 'needs at least one batch of inputs');
  return { evidence, products: [...products], otherWeights };
}

/** What reached a layer in one call. */
interface LayerCall<Told = Seen> {
  readonly layer: QuantLayer;
  readonly origin: Origin;
  readonly told: Told;
}

/** How far the weights were from those audited, a scalar, and what was measured of the inputs; null without data. */
interface Seen {
  readonly apart: Tensor;
  readonly measured: Measured | null;
}

/** `Σ|x − nearest of its grid|`, and the extremes of x in steps; scalars that outlive the pass. */
interface Measured {
  readonly off: Tensor;
  readonly low: Tensor;
  readonly high: Tensor;
}

/**
 * One forward pass, off the tape; the model's modes and products are as before afterwards.
 * @param look sees inputs and weights of every call of a layer, unseen itself; what it returns outlives the pass
 */
function runOnce<Told>(
  model: Module,
  layers: readonly QuantLayer[],
  batch: Tensor,
  look: (layer: QuantLayer, x: Tensor, w: Tensor) => Told,
): { readonly trace: GridTrace; readonly calls: readonly LayerCall<Told>[] } {
  const trace = new GridTrace(batch);
  const calls: LayerCall<Told>[] = [];
  const before = layers.map(({ product }) => product);
  const restore = enterEvaluation(model);
  for (const [i, layer] of layers.entries()) {
    layer.product = (self, x, w) => {
      trace.hide(() => calls.push({ layer, origin: trace.of(x), told: keep(look(layer, x, w.value)) }));
      const multiply = () => before[i]?.(self, x, w) ?? self.multiplyQuantized(x, w);
      return multipliesPlainly(self) ? trace.hide(multiply) : multiply();
    };
  }
  try {
    watchRows(trace.see, () => scope(() => noGrad(() => void model.forward(batch))));
    return { trace, calls };
  } finally {
    for (const [i, layer] of layers.entries()) layer.product = before[i];
    restore();
  }
}

/** `Σ|w − a|`: 0 exactly if a layer multiplies with the weights audited, without end if with those of another shape. */
function apart(w: Tensor, audited: Tensor | undefined): Tensor {
  if (audited === undefined || !sameShape(w.shape, audited.shape)) return full([], Number.POSITIVE_INFINITY);
  return sum(abs(sub(w, audited)));
}

/** A value is on the grid and in the range exactly if quantizing it once more changes nothing. */
function measure(layer: QuantLayer, x: Tensor): Measured {
  const s = layer.input.scale();
  const { low, high } = layer.input.range;
  const off = sum(abs(sub(x, fakeQuantize(x, s, { low, high }))));
  return { off, low: div(neg(max(neg(x))), s), high: div(max(x), s) };
}

async function judge(calls: readonly LayerCall[], layer: QuantLayer, samples: number | null): Promise<InputEvidence> {
  if (calls.length === 0) {
    return { checked: "author's word", reason: 'the forward pass does not reach the layer', seen: null };
  }
  let reason: string | null = null;
  let seen: InputEvidence['seen'] = null;
  let onGrid = true;
  for (const { origin, told } of calls) {
    reason ??= await misfit(origin, layer);
    const { measured } = told;
    if (measured === null || samples === null) continue;
    const [off, low, high] = await Promise.all([measured.off.item(), measured.low.item(), measured.high.item()]);
    onGrid &&= off === 0;
    seen = merge(seen, { low: Math.round(low), high: Math.round(high), samples });
  }
  if (!onGrid) return { checked: 'refuted by data', reason, seen };
  if (reason === null) return { checked: 'by construction', reason, seen };
  return { checked: seen ? 'by data' : "author's word", reason, seen };
}

/** Why values of this origin are not bound to be on the layer's grid; null if they are. */
async function misfit(origin: Origin, layer: QuantLayer): Promise<string | null> {
  if ('madeBy' in origin) return `its inputs are made by ${origin.madeBy}, not by the quantizer it names`;
  const { low, high } = layer.input.range;
  const named = scope(() => noGrad(() => copyOf(layer.input.scale())));
  const step = await named.item();
  dispose(named);
  for (const grid of origin.grids) {
    const own = await grid.scale.item();
    if (grid.low < low || grid.high > high) {
      return `its inputs are integers of ${grid.low} … ${grid.high}; it names ${low} … ${high}`;
    }
    if (own !== step) return `its inputs have steps of ${own}; the quantizer it names has ${step}`;
  }
  return null;
}

/** The first value that is not on the layer's grid. */
async function offender(model: Module, layer: QuantLayer, batch: Tensor): Promise<string> {
  const { trace, calls } = runOnce(
    model,
    [layer],
    batch,
    ({ input }, x) => [copyOf(x), copyOf(input.scale())] as const,
  );
  trace.dispose();
  const { low, high } = layer.input.range;
  let found = 'its inputs are off their grid';
  for (const { told } of calls) {
    const [x, scale] = told;
    const step = await scale.item();
    const round = x.dtype === 'float32' ? Math.fround : (value: number) => value;
    const fits = (value: number) => {
      const q = Math.round(value / step);
      return q >= low && q <= high && round(q * step) === value;
    };
    const bad = (await x.data()).find((value) => !fits(value));
    if (bad === undefined) continue;
    found = `input ${bad} is ${bad / step} steps of ${step}; its grid has the integers ${low} … ${high}`;
    break;
  }
  dispose(calls.map(({ told }) => told));
  return found;
}

const CERTAINTY: readonly InputChecked[] = ['refuted by data', "author's word", 'by data', 'by construction'];

/** What two passes tell together: no more than the lesser. */
function combine(a: InputEvidence | undefined, b: InputEvidence): InputEvidence {
  if (a === undefined) return b;
  const lesser = CERTAINTY.indexOf(b.checked) < CERTAINTY.indexOf(a.checked) ? b : a;
  const seen = a.seen && b.seen ? { ...merge(a.seen, b.seen), samples: a.seen.samples + b.seen.samples } : lesser.seen;
  return { ...lesser, seen };
}

function merge<Range extends { readonly low: number; readonly high: number }>(a: Range | null, b: Range): Range {
  return a === null ? b : { ...b, low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}
