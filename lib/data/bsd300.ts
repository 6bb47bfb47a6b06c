/**
 * Super-resolution pairs from photographs, by the two protocols in use for A2Q on BSD300.
 *
 * x3, the default: 255x255 crops, the input their antialiased bilinear reduction to 85x85. x2, after Brevitas's
 * example: 512x512 windows, black where the photograph ends, reduced to 256x256. Test windows are centred; training
 * windows lie anywhere and are mirrored along either axis, and are reduced after cropping, so every epoch has new ones.
 */
import { asList, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import { asDataset, type ImagePairDataset } from './dataset.js';
import { psnr } from './metrics.js';
import { byteTables, identityNormalisation, writePlanes } from './normalise.js';
import { asImage, centreCrop, crop, mirror, type Pixels, pixels } from './pixels.js';
import { type ResizeFilter, resize } from './resize.js';

export interface SuperResolutionOptions {
  readonly name?: string;
  /** Up-scaling factor. Default 3. */
  readonly factor?: number;
  /** Side of the square targets in pixels, a multiple of the factor. Default 512 for x2, else the last below 257. */
  readonly crop?: number;
}

/**
 * Pairs of a small input and its large target, both RGB in [0, 1].
 *
 * @param images RGB photographs of any size; smaller than the crop are padded with black
 * @returns inputs [3, crop/factor, crop/factor], targets [3, crop, crop]
 * @throws DataError if there is no image, one is not RGB, or the factor is no integer above 1 that divides the crop
 */
export function superResolutionPairs(
  images: readonly Pixels[],
  options: SuperResolutionOptions = {},
): ImagePairDataset {
  const { factor = 3, name = `super-resolution x${factor}` } = asOptions('superResolutionPairs', options);
  if (!Number.isInteger(factor) || factor < 2) {
    throw new DataError('superResolutionPairs', `factor must be an integer above 1; got ${factor}`);
  }
  const large = options.crop ?? targetSide(factor);
  const small = large / factor;
  if (!Number.isInteger(small) || small < 1) {
    throw new DataError('superResolutionPairs', `crop must be a multiple of the factor ${factor}; got ${large}`);
  }
  if (asList('superResolutionPairs', 'images', images).length === 0)
    throw new DataError('superResolutionPairs', `${name}: no images`);
  const odd = images.findIndex((image) => asImage('superResolutionPairs', image).channels !== 3);
  if (odd >= 0) throw new DataError('superResolutionPairs', `image ${odd} has ${images[odd].channels} channels, not 3`);
  const normalisation = identityNormalisation(3);
  const tables = byteTables(normalisation);
  return {
    kind: 'images',
    name,
    length: images.length,
    inputShape: [3, small, small],
    targetShape: [3, large, large],
    normalisation,
    write(index, input, target, random) {
      const image = images[index];
      const window = random ? randomWindow(image, large, random) : centreCrop(image, large, large);
      writePlanes(window, tables, target);
      writePlanes(resize(window, small, small, 'bilinear'), tables, input);
    },
  };
}

/** Side of the targets unless told otherwise, pixels: 512 for x2, else the last multiple of the factor below 257. */
export function targetSide(factor: number): number {
  return factor === 2 ? 512 : 256 - (256 % factor);
}

/** A window anywhere in the image (or the image anywhere in the window, where that is larger), mirrored at random. */
function randomWindow(image: Pixels, side: number, random: Random): Pixels {
  const left = randomOffset(image.width - side, random);
  const top = randomOffset(image.height - side, random);
  let window = crop(image, left, top, side, side);
  if (random.integer(2) === 1) window = mirror(window, 'horizontal');
  if (random.integer(2) === 1) window = mirror(window, 'vertical');
  return window;
}

/** Between 0 and `room`, on whichever side of 0 that is. */
function randomOffset(room: number, random: Random): number {
  return room >= 0 ? random.integer(room + 1) : -random.integer(1 - room);
}

/**
 * Up-scaling without a network: its mean PSNR over the plain samples, in dB, images rounded to bytes as by PIL.
 *
 * On the 100 test images: x3 `bicubic` 24.83 and `nearest` 24.04 dB, x2 `bicubic` 28.53 dB.
 */
export function upscalingPsnr(dataset: ImagePairDataset, filter: ResizeFilter): number {
  if (asDataset('upscalingPsnr', dataset).kind !== 'images') {
    throw new DataError('upscalingPsnr', 'the dataset must be of pairs of images');
  }
  const [channels, height, width] = dataset.inputShape;
  const [, targetHeight, targetWidth] = dataset.targetShape;
  const input = new Float32Array(channels * height * width);
  const target = new Float32Array(channels * targetHeight * targetWidth);
  const upscaled = new Float32Array(target.length);
  const tables = byteTables(identityNormalisation(1));
  const bytes = new Uint8Array(height * width);
  const area = targetHeight * targetWidth;
  let sum = 0;
  for (let index = 0; index < dataset.length; index++) {
    dataset.write(index, input, target, null);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = Math.round(input[c * bytes.length + i] * 255);
      const plane = resize(pixels(width, height, 1, bytes), targetWidth, targetHeight, filter);
      writePlanes(plane, tables, upscaled.subarray(c * area, (c + 1) * area));
    }
    sum += psnr(upscaled, target);
  }
  return sum / dataset.length;
}
