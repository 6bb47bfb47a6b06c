import type { LayerFactory, LayerOptions } from '../nn/models/factory.js';
import { floatLayers } from '../nn/models/floatLayers.js';
import type { Module } from '../nn/module.js';
import { asOptions } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import { ActivationQuantizer } from './activation.js';
import { checkBits, MAX_BITS } from './integerRange.js';
import { QuantAdd, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU, QuantResizeConv2d } from './layers.js';
import { METHOD_NAMES, METHODS, type Method, type MethodEntry } from './methods.js';
import { affineLearned } from './weightQuantizer.js';

/** Bits of the first and the last layer of a network, weights and activations. */
export const EDGE_BITS = 8;

/** The papers' policy for a whole network. */
export interface PolicyOptions {
  readonly method: Method;
  /** M of the hidden layers. */
  readonly weightBits: number;
  /** N of the hidden activations. */
  readonly actBits: number;
  /** P of the hidden layers; needed by the methods that bound the accumulator. */
  readonly accumulatorBits?: number;
  /** T of AXE: terms that one register of P bits sums before a wider one takes them. Default: all. */
  readonly tile?: number;
  /** Scales of weights and activations are powers of two: see `powerOfTwoScale`. Default false. */
  readonly powerOfTwoScales?: boolean;
  /** Training calls before activation thresholds are learned. Default 300. */
  readonly collectStatsSteps?: number;
  readonly random: Random;
}

/**
 * The papers' layer policy: first and last layer 8-bit weights and activations, no constraint; every other layer M-bit
 * weights, N-bit activations and the quantizer that `METHODS` names.
 *
 * @throws QuantError on bits out of range, a missing P, or a P too small to hold any weight
 */
export function layerPolicy(options: PolicyOptions): LayerFactory {
  const { method, weightBits, actBits, random } = asOptions('layerPolicy', options);
  if (!Object.hasOwn(METHODS, method)) {
    throw new QuantError('layerPolicy', `method must be one of ${METHOD_NAMES.join(', ')}`);
  }
  const entry: MethodEntry = METHODS[method];
  if (entry.weights === null) return floatLayers(random);
  const { hidden, depthwise: narrow } = entry.weights;
  checkBits('layerPolicy', 'weight bits M', weightBits, 2, 16);
  checkBits('layerPolicy', 'activation bits N', actBits, 1, 16);
  const { accumulatorBits } = options;
  if (entry.needsAccumulatorBits && accumulatorBits === undefined) {
    throw new QuantError('layerPolicy', `${method} needs the accumulator bits P (--acc-bits)`);
  }
  const { tile, powerOfTwoScales = false } = options;
  const bits = {
    ...{ bits: weightBits, accumulatorBits: accumulatorBits ?? MAX_BITS, powerOfTwoScales },
    ...(tile === undefined ? {} : { tile }),
  };
  const stats = {
    powerOfTwoScales,
    ...(options.collectStatsSteps === undefined ? {} : { collectStatsSteps: options.collectStatsSteps }),
  };
  const layer = ({ role, input, bias = true }: LayerOptions, depthwise: boolean) => {
    if (!(input instanceof ActivationQuantizer)) {
      throw new QuantError('layerPolicy', 'the input of a quantized layer must come from an activation quantizer');
    }
    const weight =
      role === 'hidden' ? (depthwise ? narrow : hidden)(bits) : affineLearned({ bits: EDGE_BITS, powerOfTwoScales });
    return { weight, input, bias, role, random };
  };
  return {
    input: ({ signed }): Module =>
      signed
        ? new QuantIdentity({ bits: EDGE_BITS, signed: true, ...stats })
        : new QuantReLU({ bits: EDGE_BITS, ...stats }),
    conv2d: (inChannels, outChannels, kernel, { role, input, bias = true, ...geometry }) => {
      const depthwise = geometry.groups !== undefined && geometry.groups > 1 && geometry.groups === inChannels;
      return new QuantConv2d(inChannels, outChannels, kernel, {
        ...layer({ role, input, bias }, depthwise),
        ...geometry,
      });
    },
    resizeConv2d: (inChannels, outChannels, kernel, factor, given) =>
      new QuantResizeConv2d(inChannels, outChannels, kernel, factor, layer(given, false)),
    linear: (inFeatures, outFeatures, given) => new QuantLinear(inFeatures, outFeatures, layer(given, false)),
    relu: ({ feeds = 'hidden' } = {}) => new QuantReLU({ bits: feeds === 'hidden' ? actBits : EDGE_BITS, ...stats }),
    add: () => new QuantAdd({ bits: actBits, signed: true, ...stats }),
  };
}
