import type { ImageFile } from '../imageFile.js';
import { type Pixels, pixels } from '../pixels.js';
import { nextMarker } from './bitReader.js';
import { type ColourModel, rowConverter } from './colour.js';
import { type Component, type Frame, readFrame } from './frame.js';
import { type HuffmanTable, huffmanTable } from './huffman.js';
import { decodeScan, type ScanHeader, transformStored } from './scan.js';
import { rowReader } from './upsample.js';

/**
 * Decodes a baseline, extended or progressive JPEG of 8 bits to RGB: grey, YCbCr, RGB, CMYK or YCCK, of any sampling
 * with whole ratios. The bytes are those of libjpeg-turbo with its defaults, and so of PIL and torchvision: accurate
 * inverse DCT, interpolated chroma, colours in fixed point. CMYK is taken as Adobe writes it, inverted, as PIL does. An
 * orientation in EXIF data is not applied, nor is a colour profile.
 *
 * @returns [height, width, 3]
 * @throws DataError naming the file if it is truncated, corrupt, of a kind that is not supported or above a limit
 */
export function decodeJpeg(file: ImageFile): Pixels {
  const { frame, model } = new JpegReader(file, true).read();
  const { width, height, components } = frame;
  if (frame.progressive) for (const component of components) transformStored(component);
  const out = new Uint8Array(width * height * 3);
  const readers = components.map((component) => rowReader(file, frame, component));
  const convert = rowConverter(model);
  for (let y = 0; y < height; y++) {
    const rows = readers.map((read) => read(y));
    convert(rows, width, out, y * width * 3);
  }
  return pixels(width, height, 3, out);
}

/**
 * Goes through a file without decoding its scans.
 *
 * @throws DataError as `decodeJpeg`, but for what is wrong within a scan
 */
export function checkJpeg(file: ImageFile): void {
  const { frame } = new JpegReader(file, false).read();
  for (const component of frame.components) rowReader(file, frame, component);
}

/** What was read: a frame whose stores are filled, and what its components mean. */
interface Picture {
  readonly frame: Frame;
  readonly model: ColourModel;
}

const [SOF0, SOF15, DHT, JPG, DAC, RST0, SOI, EOI] = [0xc0, 0xcf, 0xc4, 0xc8, 0xcc, 0xd0, 0xd8, 0xd9];
const [SOS, DQT, DRI, APP0, APP14] = [0xda, 0xdb, 0xdd, 0xe0, 0xee];

/** Goes through a file segment by segment. */
class JpegReader {
  #at = 2;
  #frame: Frame | null = null;
  #scans = 0;
  #interval = 0;
  #jfif = false;
  /** The transform that an Adobe segment names, if there is one. */
  #adobe: number | null = null;
  readonly #quants: (Int32Array | undefined)[] = [];
  readonly #dcTables: (HuffmanTable | undefined)[] = [];
  readonly #acTables: (HuffmanTable | undefined)[] = [];

  /** @param decode whether to decode scans, or to skip them */
  constructor(
    readonly file: ImageFile,
    readonly decode: boolean,
  ) {}

  read(): Picture {
    for (let marker = this.#marker(); marker !== EOI; marker = this.#marker()) {
      if (marker >= RST0 && marker < EOI) continue;
      this.#segment(marker, this.#payload());
    }
    const frame = this.#frame;
    if (frame === null) throw this.file.corrupt('no picture in it');
    const missing = frame.components.find(({ quant }) => quant === null);
    if (missing) throw this.file.corrupt(`component ${missing.id} is in no scan`);
    return { frame, model: this.#model(frame.components) };
  }

  /** The next marker's second byte. @throws DataError if something else is there */
  #marker(): number {
    const { bytes } = this.file;
    if (this.#at + 1 >= bytes.length) throw this.file.truncated('no end-of-image marker');
    if (nextMarker(bytes, this.#at) !== this.#at && bytes[this.#at + 1] !== 0xff) {
      throw this.file.corrupt(`no marker at byte ${this.#at}`);
    }
    while (bytes[this.#at] === 0xff) this.#at++;
    if (this.#at >= bytes.length) throw this.file.truncated('no end-of-image marker');
    return bytes[this.#at++];
  }

  #payload(): Uint8Array {
    const { bytes } = this.file;
    const at = this.#at;
    const length = (bytes[at] << 8) | bytes[at + 1];
    if (at + 2 > bytes.length || at + length > bytes.length) throw this.file.truncated('it ends within a segment');
    if (length < 2) throw this.file.corrupt(`a segment of ${length} bytes at byte ${at}`);
    this.#at = at + length;
    return bytes.subarray(at + 2, at + length);
  }

  #segment(marker: number, payload: Uint8Array): void {
    if (marker === DQT) this.#readQuants(payload);
    else if (marker === DHT) this.#readHuffman(payload);
    else if (marker === DRI) this.#readInterval(payload);
    else if (marker === SOS) this.#readScan(payload);
    else if (marker === APP0) this.#jfif ||= startsWith(payload, 'JFIF\0');
    else if (marker === APP14 && startsWith(payload, 'Adobe') && payload.length >= 12) this.#adobe = payload[11];
    else if (marker >= SOF0 && marker <= SOF15 && marker !== JPG && marker !== DAC) {
      if (this.#frame) throw this.file.corrupt('a second frame header');
      this.#frame = readFrame(this.file, marker, payload, this.decode);
    }
  }

  /** Divisors in zigzag order, of 8 or 16 bits. */
  #readQuants(payload: Uint8Array): void {
    for (let at = 0; at < payload.length; ) {
      const wide = payload[at] >> 4 !== 0;
      const end = at + 1 + (wide ? 128 : 64);
      if (end > payload.length) throw this.file.corrupt('a quantization table that is cut off');
      const from = at + 1;
      this.#quants[payload[at] & 15] = Int32Array.from({ length: 64 }, (_, k) =>
        wide ? (payload[from + 2 * k] << 8) | payload[from + 2 * k + 1] : payload[from + k],
      );
      at = end;
    }
  }

  #readHuffman(payload: Uint8Array): void {
    for (let at = 0; at < payload.length; ) {
      const counts = payload.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const symbols = payload.subarray(at + 17, at + 17 + total);
      if (counts.length < 16 || symbols.length < total) throw this.file.corrupt('a Huffman table that is cut off');
      const table = huffmanTable(counts, symbols);
      if (table === null) throw this.file.corrupt('a Huffman table with more codes than there can be');
      (payload[at] >> 4 === 0 ? this.#dcTables : this.#acTables)[payload[at] & 15] = table;
      at += 17 + total;
    }
  }

  #readInterval(payload: Uint8Array): void {
    if (payload.length !== 2) throw this.file.corrupt('a restart interval of odd length');
    this.#interval = (payload[0] << 8) | payload[1];
  }

  #readScan(payload: Uint8Array): void {
    const { file } = this;
    const frame = this.#frame;
    if (frame === null) throw file.corrupt('a scan before the frame header');
    file.checkScans(++this.#scans);
    const header = this.#scanHeader(frame, payload);
    const needsDc = header.first === 0 && header.high === 0;
    const needsAc = frame.progressive ? header.first > 0 : true;
    for (const component of header.components) {
      component.quant ??= this.#quants[component.quantIndex] ?? null;
      if (component.quant === null) throw file.corrupt(`no quantization table ${component.quantIndex}`);
      if (needsDc && component.dcTable === null) throw file.corrupt(`component ${component.id} lacks its DC table`);
      if (needsAc && component.acTable === null) throw file.corrupt(`component ${component.id} lacks its AC table`);
    }
    const end = this.decode ? decodeScan(file, frame, header, this.#at, this.#interval) : this.#endOfScan();
    this.#at = nextMarker(file.bytes, end);
  }

  /** Where the first marker is that is no restart. */
  #endOfScan(): number {
    const { bytes } = this.file;
    let at = nextMarker(bytes, this.#at);
    while (at < bytes.length && bytes[at + 1] >= RST0 && bytes[at + 1] < SOI) at = nextMarker(bytes, at + 2);
    return at;
  }

  #scanHeader(frame: Frame, payload: Uint8Array): ScanHeader {
    const { file } = this;
    const count = payload[0];
    if (count === 0 || count > 4 || payload.length !== 4 + 2 * count) throw file.corrupt('a scan header of odd length');
    const components = Array.from({ length: count }, (_, i) => {
      const [id, tables] = payload.subarray(1 + 2 * i);
      const component = frame.components.find((each) => each.id === id);
      if (!component) throw file.corrupt(`a scan of component ${id}, which the frame lacks`);
      component.dcTable = this.#dcTables[tables >> 4] ?? null;
      component.acTable = this.#acTables[tables & 15] ?? null;
      return component;
    });
    if (new Set(components).size < count) throw file.corrupt('a scan with a component twice');
    if (!frame.progressive) return { components, first: 0, last: 63, high: 0, low: 0 };
    const [first, last, bits] = payload.subarray(1 + 2 * count);
    const [high, low] = [bits >> 4, bits & 15];
    const band = first === 0 ? last === 0 : count === 1 && first <= last && last <= 63;
    if (!band || low > 13 || (high !== 0 && high !== low + 1)) {
      throw file.corrupt(`a scan of coefficients ${first} … ${last}, bits ${high} to ${low}, of ${count} components`);
    }
    return { components, first, last, high, low };
  }

  /** What the components mean, guessed as libjpeg does: JFIF is YCbCr; else Adobe says; else the components' names. */
  #model(components: readonly Component[]): ColourModel {
    if (components.length === 1) return 'grey';
    if (components.length === 4) return this.#adobe === null || this.#adobe === 0 ? 'cmyk' : 'ycck';
    if (this.#jfif) return 'ycc';
    if (this.#adobe !== null) return this.#adobe === 0 ? 'rgb' : 'ycc';
    return String.fromCharCode(...components.map(({ id }) => id)) === 'RGB' ? 'rgb' : 'ycc';
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return bytes.length >= text.length && [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}
