import { dirname } from 'node:path';
import { readBytes } from '../../data/node/files.js';
import type { Module } from '../../nn/module.js';
import { quantLayers } from '../../quant/layers.js';
import { decodeCheckpoint, type ModelCheckpoint, restoreModel } from '../checkpoint.js';
import { sourceOf } from '../models.js';
import { installIntegers } from '../storedIntegers.js';
import { openModel } from './openModel.js';

/** A trained model and the checkpoint it came from. */
export interface Trained {
  readonly path: string;
  /** The whole file. */
  readonly bytes: Uint8Array;
  /** In evaluation mode. */
  readonly model: Module;
  readonly checkpoint: ModelCheckpoint;
  /** Quantized layers whose integers the checkpoint does not hold: they are computed from the weights, here. */
  readonly computed: readonly string[];
}

/**
 * Reads a checkpoint and builds its model, which computes with the integers that are stored: the same on every backend.
 * @throws DataError if the file is damaged, or its integers are not of its weights
 */
export async function openTrained(path: string): Promise<Trained> {
  const bytes = await readBytes('checkpoint', path);
  const checkpoint = decodeCheckpoint(bytes, path);
  const source = sourceOf(checkpoint.state, path);
  const model = await openModel(checkpoint.config, dirname(path), { source });
  restoreModel(model, checkpoint.state, path);
  model.eval();
  const { integers } = checkpoint;
  const computed = integers
    ? await installIntegers(model, integers, path)
    : Array.from(quantLayers(model), ([name]) => name);
  return { path, bytes, model, checkpoint, computed };
}
