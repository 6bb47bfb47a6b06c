import { DataError } from '../tensor/errors.js';
import { byteTables, type Normalisation, writePlanes } from './normalise.js';
import { asImage, centreCrop, type Pixels, pixels } from './pixels.js';
import { type ResizeFilter, resize } from './resize.js';

/**
 * Any image as a network's input: grey or RGB as the network wants it, the shorter side resized to the input's, the
 * middle cut out, normalised. A plain sample of a folder of images is made in the same way.
 *
 * @param inputShape [channels, side, side], 1 or 3 channels
 * @returns float32 [channels, side, side]
 */
export function fitImage(
  image: Pixels,
  inputShape: readonly [number, number, number],
  normalisation: Normalisation,
): Float32Array {
  const [channels, height, width] = inputShape;
  const out = new Float32Array(channels * height * width);
  writePlanes(fitPixels(image, inputShape), byteTables(normalisation), out);
  return out;
}

/** The same, before it is normalised. @param inputShape [channels, height, width] */
export function fitPixels(image: Pixels, [channels, height, width]: readonly [number, number, number]): Pixels {
  const resized = resizeShorterSide(withChannels(image, channels), Math.max(height, width), 'bilinear');
  return centreCrop(resized, width, height);
}

/** Resizes the shorter side; the longer one keeps the aspect ratio, rounded down as in torchvision. */
export function resizeShorterSide(image: Pixels, side: number, filter: ResizeFilter): Pixels {
  const { width, height } = asImage('resizeShorterSide', image);
  if (Math.min(width, height) === side) return image;
  return width <= height
    ? resize(image, side, Math.trunc((side * height) / width), filter)
    : resize(image, Math.trunc((side * width) / height), side, filter);
}

/** The image with 1 or 3 channels. @throws DataError for others */
export function withChannels(image: Pixels, channels: number): Pixels {
  if (image.channels === channels) return image;
  const { width, height, data } = image;
  if (image.channels === 1 && channels === 3) {
    const copies = Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)]);
    return pixels(width, height, 3, copies);
  }
  if (image.channels === 3 && channels === 1) return pixels(width, height, 1, grey(data));
  throw new DataError('withChannels', `cannot make ${channels} channels of ${image.channels}`);
}

/** Luma of BT.601 in 16-bit fixed point, as PIL's `convert('L')`. @param data [n, 3] @returns [n] */
function grey(data: Uint8Array): Uint8Array {
  const [red, green, blue] = [19595, 38470, 7471];
  return Uint8Array.from({ length: data.length / 3 }, (_, i) => {
    return (data[3 * i] * red + data[3 * i + 1] * green + data[3 * i + 2] * blue + 0x8000) >> 16;
  });
}
