import type { IntegerGraph } from '../graph/graph.js';

/** A file format that networks can be written in: one file of `formats/`, or of a user's own, exports one. */
export interface ExportFormat {
  /** One line for `--help`. */
  readonly about: string;
  /**
   * The whole file, or several by their extensions (`.h`, `.c`), which take the place of the one that is asked for.
   * @throws DataError if the format cannot say this network
   */
  encode(graph: IntegerGraph, options: FormatOptions): FileContent | ReadonlyMap<string, FileContent>;
}

export type FileContent = Uint8Array | string;

/** What the command line says beside the format. */
export interface FormatOptions {
  /** Of the network, from the name of the file: for formats that want one. */
  readonly name: string;
  /** What QONNX's operator of quantization is called: the old name, which more programs read, or the new one. */
  readonly opName: 'Quant' | 'IntQuant';
  /** QCDQ and QDQ: speed before exactness, biases in whole steps of the accumulator, so that runtimes fuse layers. */
  readonly fused?: boolean;
}

/** Every file in here is a format, called after the file. */
export const FORMATS = new URL('./formats/', import.meta.url);
