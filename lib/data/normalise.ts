import { asInteger } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { type Pixels, pixels } from './pixels.js';

/** Per-channel affine map of [0, 1] values to network inputs: (value − mean) / std. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The normalisation that changes nothing: values stay in [0, 1]. */
export function identityNormalisation(channels: number): Normalisation {
  asInteger('identityNormalisation', 'channels', channels, 1, 2 ** 16);
  return { mean: new Array<number>(channels).fill(0), std: new Array<number>(channels).fill(1) };
}

/**
 * For each channel the 256 float32 inputs its byte values become.
 *
 * @throws DataError if mean and std differ in length, or a std is not positive
 */
export function byteTables({ mean, std }: Normalisation): Float32Array[] {
  if (mean.length !== std.length || !std.every((value) => value > 0)) {
    throw new DataError('byteTables', `need one positive std per mean; got mean [${mean}] and std [${std}]`);
  }
  return mean.map((m, c) => Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - m) / std[c]));
}

/**
 * Writes an interleaved image as float32 planes.
 *
 * @param tables one of 256 entries per channel, from {@link byteTables}
 * @param out [channels, height, width], filled completely
 */
export function writePlanes(image: Pixels, tables: readonly Float32Array[], out: Float32Array): void {
  const { channels, data } = image;
  const area = image.width * image.height;
  if (tables.length !== channels || out.length !== area * channels) {
    throw new DataError(
      'writePlanes',
      `a ${image.width}x${image.height}x${channels} image does not fit ${tables.length} tables and ` +
        `${out.length} values`,
    );
  }
  for (let c = 0; c < channels; c++) {
    const table = tables[c];
    for (let i = 0, from = c, to = c * area; i < area; i++, from += channels, to++) out[to] = table[data[from]];
  }
}

/**
 * The inverse of {@link writePlanes}: an interleaved image of the bytes nearest to the values.
 *
 * @param planes [channels, height, width], normalised; out of range is cut off
 */
export function readPlanes(
  planes: ArrayLike<number>,
  [channels, height, width]: readonly [number, number, number],
  { mean, std }: Normalisation,
): Pixels {
  const area = height * width;
  const data = new Uint8ClampedArray(area * channels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < area; i++) data[i * channels + c] = 255 * (planes[c * area + i] * std[c] + mean[c]);
  }
  return pixels(width, height, channels, new Uint8Array(data.buffer));
}

/**
 * Population mean and standard deviation per channel on [0, 1].
 *
 * @param planes bytes, [count, channels, area]
 */
export function planeStatistics(planes: Uint8Array, channels: number, area: number): Normalisation {
  const count = planes.length / (channels * area);
  if (!Number.isInteger(count) || count === 0) {
    throw new DataError('planeStatistics', `${planes.length} bytes are not whole [${channels}, ${area}] images`);
  }
  const mean: number[] = [];
  const std: number[] = [];
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    let squares = 0;
    for (let n = 0; n < count; n++) {
      const at = (n * channels + c) * area;
      for (let i = at; i < at + area; i++) {
        sum += planes[i];
        squares += planes[i] * planes[i];
      }
    }
    const m = sum / (count * area);
    mean.push(m / 255);
    std.push(Math.sqrt(Math.max(squares / (count * area) - m * m, 0)) / 255);
  }
  return { mean, std };
}
