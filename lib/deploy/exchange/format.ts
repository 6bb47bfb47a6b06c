import type { IntegerLayer } from './integerLayers.js';

/** A file format that integer layers can be written in: one file of `formats/`, or of a user's own, exports one. */
export interface ExportFormat {
  /** One line for `--help`. */
  readonly about: string;
  /** The whole file. @param name of the network, for formats that want one */
  encode(layers: readonly IntegerLayer[], name: string): Uint8Array | string;
}

/** Every file in here is a format, called after the file. */
export const FORMATS = new URL('./formats/', import.meta.url);
