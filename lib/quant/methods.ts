import { asFunction } from '../tensor/argument.js';
import { a2q, a2qPlus } from './accumulatorAware.js';
import { axe } from './axeWeights.js';
import { affineLearned, type WeightQuantizerFactory } from './weightQuantizer.js';

/** What a method knows of a layer when it chooses the layer's quantizer. */
export interface HiddenLayerBits {
  /** M. */
  readonly bits: number;
  /** P; any number where the method needs none. */
  readonly accumulatorBits: number;
  /** Terms that one register of P bits sums, before a wider one takes them; left out, all of them. */
  readonly tile?: number;
  readonly powerOfTwoScales?: boolean;
}

/** Chooses the weight quantizer of a layer. */
export type WeightChoice = (bits: HiddenLayerBits) => WeightQuantizerFactory;

/** A way to train a network, chosen by name. */
export interface MethodEntry {
  /** As people write it. */
  readonly label: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Quantizers of the hidden layers, and of the depthwise ones among them; null keeps everything in floats. */
  readonly weights: { readonly hidden: WeightChoice; readonly depthwise: WeightChoice } | null;
  /** Whether it needs P, the width of the accumulators. */
  readonly needsAccumulatorBits: boolean;
  /** Whether EP-init (A2Q+, section 4.2) is part of it. */
  readonly epInit: boolean;
  /** Whether weights are rounded once, after training in floats, and not trained. Default false. */
  readonly afterTraining?: boolean;
}

const learned: WeightChoice = (options) => affineLearned(options);

/** Every method: policies, command line, configurations and preparation read only this. Add yours as an entry. */
export const METHODS = {
  float: {
    label: 'float',
    about: 'floating point, nothing quantized',
    weights: null,
    needsAccumulatorBits: false,
    epInit: false,
  },
  qat: {
    label: 'QAT',
    about: 'quantization-aware training, accumulators of any width',
    weights: { hidden: learned, depthwise: learned },
    needsAccumulatorBits: false,
    epInit: false,
  },
  a2q: {
    label: 'A2Q',
    about: 'no P-bit accumulator overflows (arXiv 2308.13504)',
    weights: { hidden: a2q, depthwise: a2q },
    needsAccumulatorBits: true,
    epInit: true,
  },
  'a2q+': {
    label: 'A2Q+',
    about: 'the same with centred weights and twice the budget (arXiv 2401.10432)',
    // A depthwise channel has too few weights to be worth centring.
    weights: { hidden: a2qPlus, depthwise: a2q },
    needsAccumulatorBits: true,
    epInit: true,
  },
  ptq: {
    label: 'PTQ',
    about: 'floats rounded after training, accumulators of any width',
    weights: { hidden: learned, depthwise: learned },
    needsAccumulatorBits: false,
    epInit: false,
    afterTraining: true,
  },
  axe: {
    label: 'AXE',
    about: 'floats rounded after training so that no P-bit accumulator overflows (arXiv 2409.17092)',
    weights: { hidden: axe, depthwise: axe },
    needsAccumulatorBits: true,
    epInit: false,
    afterTraining: true,
  },
} as const satisfies Record<string, MethodEntry>;

/** How the weights of a model come about: trained in floats, quantized, or quantized for an accumulator of P bits. */
export type Method = keyof typeof METHODS;

/** Every {@link Method}, in the order of the table. */
export const METHOD_NAMES = Object.keys(METHODS) as Method[];

/** Those of `a2q train`; the others are of `a2q quantize`. */
export const TRAINING_METHODS = methodsThat(({ afterTraining = false }) => !afterTraining);

/** The methods of which something holds. */
export function methodsThat(holds: (entry: MethodEntry) => boolean): Method[] {
  asFunction('methodsThat', 'holds', holds);
  return METHOD_NAMES.filter((name) => holds(METHODS[name]));
}
