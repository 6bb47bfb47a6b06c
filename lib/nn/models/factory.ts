import type { ConvOptions, Pair } from '../../autograd/geometry.js';
import type { Join } from '../layers/chain.js';
import type { LayerRole } from '../layers/weighted.js';
import type { Module } from '../module.js';

export type { LayerRole };

/** What a model says about one of its layers. */
export interface LayerOptions {
  readonly role: LayerRole;
  /** The module whose output, possibly moved about but not changed in value, is this layer's input. */
  readonly input: Module;
  /** Default true; false before a batch norm. */
  readonly bias?: boolean;
}

/** Makes the layers of a model, which is written once: floating point or quantized is the factory's business. */
export interface LayerFactory {
  /**
   * Puts values on a first or last layer's grid. `signed`: whether they can be negative (false also applies a ReLU).
   */
  input(options: { readonly signed: boolean }): Module;
  conv2d(inChannels: number, outChannels: number, kernel: Pair, options: LayerOptions & ConvOptions): Module;
  /** Nearest up-sampling by `factor`, then a convolution with a square odd kernel that keeps the size. */
  resizeConv2d(inChannels: number, outChannels: number, kernel: number, factor: number, options: LayerOptions): Module;
  linear(inFeatures: number, outFeatures: number, options: LayerOptions): Module;
  /** max(x, 0). `feeds` is the role of the layer that reads it; `output` marks the end of the network. */
  relu(options?: { readonly feeds?: LayerRole | 'output' }): Module;
  /** Addition of two branches. */
  add(): Join;
}
