import type { Pair } from '../../lib/autograd/geometry.js';
import { A2QQuantizer } from '../../lib/quant/accumulatorAware.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantConv2d, type QuantLayer, type QuantLayerOptions, QuantLinear } from '../../lib/quant/layers.js';
import { affine, affineLearned, type WeightQuantizerFactory } from '../../lib/quant/weightQuantizer.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { flag, type Json, number, object, tensorOf, text } from './golden.js';

/** The weight quantizer a golden case speaks of. Budgets below one weight are allowed here, as the cases have some. */
export function weightFactory(json: Json): WeightQuantizerFactory {
  const kind = text(json, 'kind');
  const bits = number(json, 'M');
  if (kind === 'baseline_stats') return affine({ bits });
  if (kind === 'baseline_param') return affineLearned({ bits });
  if (kind !== 'a2q' && kind !== 'a2q_plus') throw new DataError('golden', `unknown quantizer ${kind}`);
  const options = { bits, accumulatorBits: number(json, 'P') };
  return (w, input) => new A2QQuantizer(kind === 'a2q' ? 'a2q' : 'a2q+', options, w, input);
}

/** A learned-phase activation quantizer of a golden `kind`, `N` and `restrict`. */
export function activationFor(
  kind: string,
  bits: number,
  restrict: string,
  extra: { steps?: number; percentile?: number; momentum?: number } = {},
): ActivationQuantizer {
  return new ActivationQuantizer({
    bits,
    signed: kind === 'int',
    relu: kind === 'relu_uint',
    domain: restrict === 'log_fp' ? 'log' : 'linear',
    collectStatsSteps: extra.steps ?? 0,
    ...(extra.percentile === undefined ? {} : { percentile: extra.percentile }),
    ...(extra.momentum === undefined ? {} : { momentum: extra.momentum }),
  });
}

/** Puts a quantizer into its learned phase with the given parameter. */
export async function learned(quantizer: ActivationQuantizer, value: number): Promise<ActivationQuantizer> {
  quantizer.finishStats();
  quantizer.value.write(Float32Array.of(value));
  return quantizer;
}

/** The quantized layer of a golden case, holding the case's weights, its quantizer freshly initialised from them. */
export function quantLayerFor(json: Json, input?: ActivationQuantizer, overrides: Json = {}): QuantLayer {
  const all = { ...json, ...overrides };
  const layer = object(all, 'layer');
  const shape = layer['shape'] as number[];
  const bits = typeof all['N'] === 'number' ? all['N'] : 8;
  const options: QuantLayerOptions = {
    weight: weightFactory(all),
    input: input ?? activationFor(flag(all, 'signed') ? 'int' : 'uint', bits, 'log_fp'),
    bias: all['bias'] !== undefined && all['bias'] !== null,
    biasQuant: all['bias_quant'] === 'int32' ? 'int32' : 'float',
    random: new Random(0),
  };
  const built =
    text(layer, 'type') === 'linear'
      ? new QuantLinear(shape[1], shape[0], options)
      : new QuantConv2d(shape[1] * ((layer['groups'] as number) ?? 1), shape[0], [shape[2], shape[3]], {
          ...options,
          groups: (layer['groups'] as number) ?? 1,
          stride: (layer['stride'] as Pair) ?? 1,
          padding: (layer['padding'] as Pair) ?? 0,
          dilation: (layer['dilation'] as Pair) ?? 1,
        });
  built.weight.assign(tensorOf(all, 'weight'));
  built.weightQuant.initialize(built.weight);
  if (built.bias) built.bias.assign(tensorOf(all, 'bias'));
  return built;
}
