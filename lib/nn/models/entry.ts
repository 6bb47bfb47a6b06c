import type { Module } from '../module.js';
import type { LayerFactory } from './factory.js';

interface InputFacts {
  /** [channels, height, width] of an input. */
  readonly inputShape: readonly [number, number, number];
  /** Whether inputs can be negative. */
  readonly signed: boolean;
}

/** What a classifier must know of its data. */
export interface LabelShape extends InputFacts {
  readonly kind: 'labels';
  /** Number of classes. */
  readonly classes: number;
}

/** What a network from images to images must know of its data. */
export interface PairShape extends InputFacts {
  readonly kind: 'images';
  /** Side of a target over the side of its input. */
  readonly factor: number;
}

/** What a model must know of its data. */
export type DataShape = LabelShape | PairShape;

interface EntryOf<Shape extends DataShape> {
  /** What it can be trained on. */
  readonly kind: Shape['kind'];
  /** Channels its inputs must have; any, if left out. */
  readonly channels?: 1 | 3;
  /** One line for `--help`. */
  readonly about: string;
  /** @throws DataError or ShapeError if images of that shape do not suit the model */
  build(make: LayerFactory, shape: Shape): Module;
}

/** A model that is chosen by name. */
export type ModelEntry = EntryOf<LabelShape> | EntryOf<PairShape>;
