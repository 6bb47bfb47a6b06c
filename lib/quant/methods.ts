import { asFunction } from '../tensor/argument.js';
import { a2q, a2qPlus } from './accumulatorAware.js';
import { affineLearned, type WeightQuantizerFactory } from './weightQuantizer.js';

/** What a method knows of a layer when it chooses the layer's quantizer. */
export interface HiddenLayerBits {
  /** M. */
  readonly bits: number;
  /** P; any number where the method needs none. */
  readonly accumulatorBits: number;
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
}

const learned: WeightChoice = ({ bits }) => affineLearned({ bits });

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
} as const satisfies Record<string, MethodEntry>;

/** How a model is trained: in floats, quantized, or quantized for an accumulator of P bits. */
export type Method = keyof typeof METHODS;

/** Every {@link Method}, in the order of the table. */
export const METHOD_NAMES = Object.keys(METHODS) as Method[];

/** The methods of which something holds. */
export function methodsThat(holds: (entry: MethodEntry) => boolean): Method[] {
  asFunction('methodsThat', 'holds', holds);
  return METHOD_NAMES.filter((name) => holds(METHODS[name]));
}
