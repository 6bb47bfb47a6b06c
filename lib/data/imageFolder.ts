import { asCapable, asNumbers, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import type { LabelledDataset } from './dataset.js';
import { resizeShorterSide } from './fitImage.js';
import { byteTables, identityNormalisation, type Normalisation, writePlanes } from './normalise.js';
import { centreCrop, crop, mirror, type Pixels } from './pixels.js';
import { type ResizeFilter, resize } from './resize.js';

/** ImageNet's usual constants, the default for folders. */
export const IMAGENET_STATISTICS: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** Images by number, wherever they come from. */
export interface LabelledImages {
  readonly classes: readonly string[];
  /** The class of each image, [n]. */
  readonly labels: ArrayLike<number>;
  /** The decoded RGB image. @throws DataError naming the file if it cannot be decoded */
  load(index: number): Pixels;
}

export interface ImageFolderOptions {
  readonly name?: string;
  /** What was found odd about the files, for people. */
  readonly notes?: readonly string[];
  /** Side of the square inputs, pixels. */
  readonly size: number;
  /** Length of the shorter side before the centre crop of a plain sample. Default `size`; ImageNet: 256 for 224. */
  readonly resizeTo?: number;
  /** Default `bilinear`, antialiased. */
  readonly filter?: ResizeFilter;
  /** Range of the area of an augmented crop, as a part of the image. Default [0.08, 1]. */
  readonly cropArea?: readonly [number, number];
  /** Null leaves inputs in [0, 1]. Default {@link IMAGENET_STATISTICS}. */
  readonly normalisation?: Normalisation | null;
}

/**
 * Images of any size as inputs of shape [3, size, size].
 *
 * A plain sample is resized by its shorter side and cropped at the centre; an augmented one is a random part (area in
 * `cropArea`, aspect ratio in 3/4 … 4/3) resized and mirrored every other time, as `RandomResizedCrop` of torchvision.
 *
 * @throws DataError if a side is not a positive integer, `resizeTo` is below `size` or there is no image
 */
export function imageFolder(images: LabelledImages, options: ImageFolderOptions): LabelledDataset {
  const {
    name = 'images',
    size,
    resizeTo = size,
    filter = 'bilinear',
    cropArea = [0.08, 1],
  } = asOptions('imageFolder', options);
  const { normalisation: wanted = IMAGENET_STATISTICS } = options;
  if (!(Number.isInteger(size) && size > 0 && Number.isInteger(resizeTo) && resizeTo >= size)) {
    throw new DataError('imageFolder', `need integers 0 < size ≤ resizeTo; got size ${size}, resizeTo ${resizeTo}`);
  }
  asOptions('imageFolder', images, 'images');
  asCapable('imageFolder', 'images', images, 'load');
  asNumbers('imageFolder', 'labels', images.labels);
  const [smallest, largest] = asNumbers('imageFolder', 'cropArea', cropArea);
  if (!(smallest > 0 && smallest <= largest && largest <= 1)) {
    throw new DataError('imageFolder', `cropArea must satisfy 0 < low ≤ high ≤ 1; got [${smallest}, ${largest}]`);
  }
  if (images.labels.length === 0) throw new DataError('imageFolder', `${name}: no images`);
  const normalisation = wanted ?? identityNormalisation(3);
  const tables = byteTables(normalisation);
  return {
    kind: 'labels',
    name,
    ...(options.notes ? { notes: options.notes } : {}),
    length: images.labels.length,
    inputShape: [3, size, size],
    normalisation,
    classes: images.classes,
    labels: images.labels,
    write(index, input, random) {
      const image = images.load(index);
      const square = random
        ? resize(randomPart(image, cropArea, random), size, size, filter)
        : centreCrop(resizeShorterSide(image, resizeTo, filter), size, size);
      writePlanes(random && random.integer(2) === 1 ? mirror(square, 'horizontal') : square, tables, input);
      return images.labels[index];
    },
  };
}

/** A part of random area and aspect ratio; after ten misses the largest centred part within 3/4 … 4/3. */
function randomPart(image: Pixels, [smallest, largest]: readonly [number, number], random: Random): Pixels {
  const { width, height } = image;
  const widest = Math.log(4 / 3);
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * random.uniform(smallest, largest);
    const ratio = Math.exp(random.uniform(-widest, widest));
    const w = Math.round(Math.sqrt(area * ratio));
    const h = Math.round(Math.sqrt(area / ratio));
    if (w > 0 && h > 0 && w <= width && h <= height) {
      return crop(image, random.integer(width - w + 1), random.integer(height - h + 1), w, h);
    }
  }
  const ratio = Math.min(Math.max(width / height, 3 / 4), 4 / 3);
  const w = Math.max(Math.min(width, Math.round(height * ratio)), 1);
  const h = Math.max(Math.min(height, Math.round(width / ratio)), 1);
  return centreCrop(image, w, h);
}
