import { noGrad } from '../autograd/tape.js';
import type { Module } from '../nn/module.js';
import { dispose, hostArray, scope } from '../tensor/storage.js';
import { A2QQuantizer } from './accumulatorAware.js';
import { quantLayers } from './layers.js';
import { projectL1Rows } from './projection.js';

/** What EP-init did to one layer. */
export interface EpInitReport {
  readonly layer: string;
  /** Channels whose l1 norm exceeded the cap and were projected. */
  readonly projected: number;
  readonly channels: number;
}

/** Sets every weight quantizer's parameters from the weights as they are: right after loading a float checkpoint. */
export function initializeQuantizers(model: Module): void {
  for (const [, layer] of quantLayers(model)) layer.weightQuant.initialize(layer.weight);
}

/**
 * Euclidean-projection initialisation (A2Q+, section 4.2): in every accumulator-aware layer the weights of each channel
 * become the nearest point of the l1 ball of radius s·T (not centred), and `t = min(t, log2(s·T))`. Scales keep.
 */
export async function epInit(model: Module): Promise<EpInitReport[]> {
  const reports: EpInitReport[] = [];
  for (const [name, layer] of quantLayers(model)) {
    const quantizer = layer.weightQuant;
    if (!(quantizer instanceof A2QQuantizer)) continue;
    const [w, d, t] = await Promise.all([layer.weight.data(), logScalesOf(quantizer), quantizer.t.data()]);
    const channels = d.length;
    const radius = Float64Array.from(d, (value) => 2 ** value * quantizer.budget);
    const projected = hostArray(layer.weight.dtype, w.length);
    projected.set(projectL1Rows(w, channels, radius));
    const norms = hostArray(quantizer.t.dtype, channels);
    norms.set(Array.from(t, (value, i) => Math.min(value, Math.log2(radius[i]))));
    layer.weight.write(projected);
    quantizer.t.write(norms);
    reports.push({ layer: name, projected: Array.from(t).filter((value, i) => norms[i] < value).length, channels });
  }
  return reports;
}

async function logScalesOf(quantizer: A2QQuantizer) {
  const d = scope(() => noGrad(() => quantizer.logScale()));
  const values = await d.data();
  if (d !== quantizer.d) dispose(d);
  return values;
}
