import type { z } from 'zod';
import type { Dataset, ImagePairDataset, LabelledDataset } from '../dataset.js';
import type { Normalisation } from '../normalise.js';
import type { DataFile } from './fingerprint.js';

/** Every {@link Split}. */
export const SPLITS = ['train', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** What can be said of a data set before it is read. */
export type DatasetOutline =
  | Pick<LabelledDataset, 'kind' | 'inputShape' | 'normalisation' | 'classes'>
  | Pick<ImagePairDataset, 'kind' | 'inputShape' | 'normalisation' | 'targetShape'>;

/** What is asked of a half of a data set, whatever its settings. */
export type ReadOptions = {
  /** Keep the first so many images. Default: all. */
  readonly limit?: number;
  /** Names of the classes in the order of the labels, where a run knows them; else as the training images have them. */
  readonly classes?: readonly string[];
  readonly onProgress?: (done: number, total: number) => void;
};

/** A data set that is chosen by name. `Shape`: its settings, if it has any. */
export interface DatasetEntry<Shape extends z.ZodRawShape = z.ZodRawShape> {
  readonly kind: Dataset['kind'];
  /** Channels of its images. */
  readonly channels: 1 | 3;
  /** What pixels become before a network sees them. */
  readonly normalisation: Normalisation;
  /** One line for `--help`. */
  readonly about: string;
  readonly settings: Shape;
  /**
   * Checks that its files are below the data folder; left out by a data set that has none.
   * @param splits the halves that are wanted
   * @throws DataError naming what is missing
   */
  locate?(folder: string, splits: readonly Split[]): Promise<unknown>;
  /** The files of a half, by which changes are noticed; left out by a data set that has none. @throws DataError */
  files?(folder: string, split: Split): Promise<DataFile[]>;
  /** Its outline, without reading an image. */
  outline(folder: string, settings: SettingsOf<Shape>): DatasetOutline | Promise<DatasetOutline>;
  /** Opens a half. @throws DataError naming a file that is missing, truncated or corrupt */
  open(folder: string, split: Split, options: SettingsOf<Shape> & ReadOptions): Dataset | Promise<Dataset>;
}

/** The values of settings. */
export type SettingsOf<Shape extends z.ZodRawShape> = { [Key in keyof Shape]: z.output<Shape[Key]> };
