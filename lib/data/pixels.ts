import { asInstance, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';

/** An 8-bit image; `data` is interleaved, shape [height, width, channels]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB. */
  readonly channels: number;
  readonly data: Uint8Array;
}

/**
 * Names the parts of an 8-bit image after checking that they fit together.
 *
 * @param data interleaved pixels, [height, width, channels]
 * @throws DataError if a side is not a positive integer or `data` has another length
 */
export function pixels(width: number, height: number, channels: number, data: Uint8Array): Pixels {
  if (![width, height, channels].every((side) => Number.isInteger(side) && side > 0)) {
    throw new DataError('pixels', `sides must be positive integers; got ${width}x${height}, ${channels} channels`);
  }
  asInstance('pixels', 'data', data, Uint8Array);
  const expected = width * height * channels;
  if (data.length !== expected) {
    throw new DataError('pixels', `${width}x${height}x${channels} needs ${expected} bytes; got ${data.length}`);
  }
  return { width, height, channels, data };
}

/** @throws ArgumentError or DataError unless `image` is an image as `pixels` makes them */
export function asImage(op: string, image: Pixels): Pixels {
  const { width, height, channels, data } = asOptions(op, image, 'the image');
  return pixels(width, height, channels, data);
}

/** The window of `width` x `height` whose corner is at (`left`, `top`), padded with 0 outside the image. */
export function crop(image: Pixels, left: number, top: number, width: number, height: number): Pixels {
  const { channels } = asImage('crop', image);
  if (![left, top, width, height].every(Number.isInteger) || width < 1 || height < 1 || width * height > 2 ** 30) {
    throw new DataError('crop', `no window of ${width}x${height} at (${left}, ${top})`);
  }
  const out = new Uint8Array(width * height * channels);
  const from = Math.max(left, 0);
  const to = Math.min(left + width, image.width);
  if (to > from) {
    for (let y = Math.max(top, 0); y < Math.min(top + height, image.height); y++) {
      const row = image.data.subarray((y * image.width + from) * channels, (y * image.width + to) * channels);
      out.set(row, ((y - top) * width + from - left) * channels);
    }
  }
  return pixels(width, height, channels, out);
}

/** The centred window, placed as torchvision's `CenterCrop` does; zero padded where the image is smaller. */
export function centreCrop(image: Pixels, width: number, height: number): Pixels {
  asImage('centreCrop', image);
  return crop(image, centreOffset(image.width, width), centreOffset(image.height, height), width, height);
}

/** Python's `round((size − window) / 2)`, ties to even; when padding, the odd pixel goes to the far side. */
function centreOffset(size: number, window: number): number {
  const half = Math.floor((size - window) / 2);
  if (size < window) return -Math.floor((window - size) / 2);
  return (size - window) % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

/** Mirrors left to right (`horizontal`) or top to bottom (`vertical`). */
export function mirror(image: Pixels, direction: 'horizontal' | 'vertical'): Pixels {
  const { width, height, channels, data } = asImage('mirror', image);
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * channels, (y + 1) * width * channels);
    if (direction === 'vertical') {
      out.set(row, (height - 1 - y) * width * channels);
      continue;
    }
    for (let x = 0; x < width; x++) {
      const at = (y * width + width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) out[at + c] = row[x * channels + c];
    }
  }
  return { width, height, channels, data: out };
}
