/**
 * JPEG to RGB with libjpeg's chroma.
 *
 * jpeg-js repeats each 4:2:0 chroma sample over its 2x2 pixels, where libjpeg (and so PIL and torchvision) interpolates
 * between neighbours ("fancy up-sampling") and converts colour in integers. Measured on the 100 BSD300 test images the
 * repetition changes 63 % of the bytes, by up to 59 levels, and moves the x3 baselines from 24.83 and 24.04 dB to 24.76
 * and 23.98. So jpeg-js is asked for the raw Y, Cb, Cr planes, the chroma samples are picked out again, and the two
 * remaining steps are done here as libjpeg does them; what is left is the rounding of the inverse DCT, which changes
 * 12 % of the bytes by at most 3 levels and the baselines by 0.0004 dB.
 */
import { decode } from 'jpeg-js';
import { DataError } from '../tensor/errors.js';
import { type Pixels, pixels } from './pixels.js';

/** What the frame header and the markers before the first scan say. */
interface Header {
  /** Horizontal and vertical sampling factors, one pair per component. */
  readonly sampling: readonly (readonly [number, number])[];
  /** False if the three components are R, G, B already. */
  readonly ycc: boolean;
  /** Position of an `Adobe` marker's payload, or −1. */
  readonly adobeAt: number;
}

/**
 * Decodes a baseline or progressive JPEG of one (grey) or three components to RGB.
 *
 * @param bytes the whole file
 * @param name what the error calls it, usually the file's path
 * @returns [height, width, 3]
 * @throws DataError if the file is truncated, corrupt or of another colour model
 */
export function decodeJpeg(bytes: Uint8Array, name: string): Pixels {
  const header = readHeader(bytes, name);
  const components = header.sampling.length;
  if (components !== 1 && components !== 3) {
    throw new DataError('decodeJpeg', `${name}: ${components} colour components; only grey and RGB are supported`);
  }
  const raw = decodeRaw(bytes, header, name);
  if (components === 1 || !header.ycc) return raw;
  const [luma, blue, red] = header.sampling;
  const area = raw.width * raw.height;
  const cb = upsample(raw, 1, luma[0] / blue[0], luma[1] / blue[1], new Uint8Array(area));
  const cr = upsample(raw, 2, luma[0] / red[0], luma[1] / red[1], new Uint8Array(area));
  return toRgb(raw, cb, cr);
}

/** All components at full size, chroma repeated, no colour conversion. */
function decodeRaw(bytes: Uint8Array, { adobeAt }: Header, name: string): Pixels {
  let source = bytes;
  if (adobeAt >= 0) {
    // An Adobe marker would overrule `colorTransform: false`; a misspelt one is skipped.
    source = bytes.slice();
    source[adobeAt] = 0;
  }
  try {
    const options = { useTArray: true, formatAsRGBA: false, colorTransform: false, tolerantDecoding: false } as const;
    const { width, height, data } = decode(source, options);
    return pixels(width, height, 3, data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError('decodeJpeg', `${name}: truncated or corrupt JPEG of ${bytes.length} bytes (${reason})`, {
      cause,
    });
  }
}

/** Walks the segments up to the first scan. @throws DataError if they do not hold together */
function readHeader(bytes: Uint8Array, name: string): Header {
  const corrupt = (what: string) => new DataError('decodeJpeg', `${name}: ${what} in a file of ${bytes.length} bytes`);
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw corrupt('no JPEG signature');
  let sampling: [number, number][] = [];
  let identifiers = '';
  let jfif = false;
  let adobeAt = -1;
  for (let at = 2; ; ) {
    if (at + 4 > bytes.length || bytes[at] !== 0xff) throw corrupt(`no segment at byte ${at}, before any scan,`);
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    const payload = at + 4;
    const length = (bytes[at + 2] << 8) | bytes[at + 3];
    if (marker === 0xda) break;
    if (marker >= 0xc0 && marker <= 0xc2) {
      const count = bytes[payload + 5];
      if (payload + 6 + 3 * count > bytes.length) throw corrupt('a cut-off frame header');
      const entry = (c: number) => payload + 6 + 3 * c;
      sampling = Array.from({ length: count }, (_, c) => [bytes[entry(c) + 1] >> 4, bytes[entry(c) + 1] & 15]);
      identifiers = String.fromCharCode(...Array.from({ length: count }, (_, c) => bytes[entry(c)]));
    }
    if (marker === 0xe0 && text(bytes, payload, 5) === 'JFIF\0') jfif = true;
    if (marker === 0xee && text(bytes, payload, 5) === 'Adobe') adobeAt = payload;
    at += 2 + length;
  }
  if (sampling.length === 0) throw corrupt('no frame header');
  // libjpeg's guess: JFIF is YCbCr; else Adobe says; else the components' names.
  const ycc = jfif || (adobeAt >= 0 ? bytes[adobeAt + 11] !== 0 : identifiers !== 'RGB');
  return { sampling, ycc, adobeAt };
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/**
 * One chroma plane at full size.
 *
 * With ratio 2 the weights are 3/4 for the nearer and 1/4 for the farther sample in each direction, borders repeated.
 * The rounding constants alternate, as in libjpeg's `h2v1` and `h2v2` fancy up-sampling, so that no bias builds up.
 */
function upsample(raw: Pixels, channel: number, ratioX: number, ratioY: number, out: Uint8Array): Uint8Array {
  const { width, height, data } = raw;
  const columns = Math.ceil(width / ratioX);
  const sample = (row: number, column: number) => data[(row * width + column * ratioX) * 3 + channel];
  const fancy = columns > 2 && ratioX === 2 && (ratioY === 1 || ratioY === 2);
  if (!fancy) {
    for (let i = 0; i < out.length; i++) out[i] = data[i * 3 + channel];
    return out;
  }
  const [bits, evenRounding, oddRounding] = ratioY === 2 ? [4, 8, 7] : [2, 1, 2];
  const near = new Int32Array(columns);
  for (let y = 0; y < height; y++) {
    if (ratioY === 1) {
      for (let x = 0; x < columns; x++) near[x] = sample(y, x);
    } else {
      const own = y & ~1;
      const other = y % 2 === 0 ? Math.max(own - 2, 0) : own + 2 < height ? own + 2 : own;
      for (let x = 0; x < columns; x++) near[x] = 3 * sample(own, x) + sample(other, x);
    }
    for (let x = 0; x < width; x++) {
      const at = x >> 1;
      const neighbour = x % 2 === 0 ? Math.max(at - 1, 0) : Math.min(at + 1, columns - 1);
      out[y * width + x] = (3 * near[at] + near[neighbour] + (x % 2 === 0 ? evenRounding : oddRounding)) >> bits;
    }
  }
  return out;
}

/** JFIF's YCbCr to RGB in 16-bit fixed point. */
function toRgb(raw: Pixels, cb: Uint8Array, cr: Uint8Array): Pixels {
  const fixed = (value: number) => Math.round(value * 65536);
  const [redCr, greenCb, greenCr, blueCb] = [fixed(1.402), fixed(0.344136286), fixed(0.714136286), fixed(1.772)];
  const half = 32768;
  const out = new Uint8ClampedArray(raw.data.length);
  for (let i = 0, p = 0; p < out.length; i++, p += 3) {
    const y = raw.data[p];
    const b = cb[i] - 128;
    const r = cr[i] - 128;
    out[p] = y + ((redCr * r + half) >> 16);
    out[p + 1] = y + ((half - greenCb * b - greenCr * r) >> 16);
    out[p + 2] = y + ((blueCb * b + half) >> 16);
  }
  return pixels(raw.width, raw.height, 3, new Uint8Array(out.buffer));
}
