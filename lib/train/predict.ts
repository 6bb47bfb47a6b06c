import { noGrad } from '../autograd/tape.js';
import { fitImage, withChannels } from '../data/fitImage.js';
import { type Guess, rankClasses } from '../data/guesses.js';
import { DATASETS } from '../data/node/datasets.js';
import { byteTables, identityNormalisation, readPlanes, writePlanes } from '../data/normalise.js';
import { asImage, type Pixels } from '../data/pixels.js';
import { asModule, type Module } from '../nn/module.js';
import { tensor } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';
import { checkedConfig, type RunConfig } from './config.js';

/** What a trained network makes of an image that is in no data set. */

/** Most pixels of an image to be up-scaled at once, our limit: ESPCN takes 3 kB of memory for each. */
export const MOST_PIXELS = 2 ** 19;

/**
 * All classes, the likeliest first. The image is resized by its shorter side and cropped at the centre.
 *
 * @param model in evaluation mode
 * @throws DataError if the model was trained to make images
 */
export async function classify(model: Module, config: RunConfig, image: Pixels): Promise<Guess[]> {
  const { shape, dataset, classNames } = checkedConfig('classify', config, ['shape', 'dataset', 'classNames']);
  asModule('classify', model);
  asImage('classify', image);
  if (shape.kind !== 'labels') throw new DataError('classify', 'this network makes images; it knows no classes');
  const { normalisation } = DATASETS[dataset.name];
  const logits = await forward(model, fitImage(image, shape.inputShape, normalisation), shape.inputShape);
  return rankClasses(logits, classNames);
}

/**
 * The image the network makes of one: an up-scaled one, of `factor` times its sides.
 *
 * @param model in evaluation mode
 * @throws DataError if the model was trained to tell classes, or the image has more than {@link MOST_PIXELS} pixels
 */
export async function upscale(model: Module, config: RunConfig, image: Pixels): Promise<Pixels> {
  const { shape } = checkedConfig('upscale', config, ['shape']);
  asModule('upscale', model);
  if (shape.kind !== 'images') throw new DataError('upscale', 'this network tells classes; it makes no images');
  const { width, height } = asImage('upscale', image);
  if (width * height > MOST_PIXELS) {
    const limit = MOST_PIXELS.toLocaleString('en-US');
    throw new DataError('upscale', `the image has ${width}x${height} pixels, our limit is ${limit}; cut it into parts`);
  }
  const [channels] = shape.inputShape;
  const plain = identityNormalisation(channels);
  const input = new Float32Array(channels * width * height);
  writePlanes(withChannels(image, channels), byteTables(plain), input);
  const output = await forward(model, input, [channels, height, width]);
  return readPlanes(output, [channels, shape.factor * height, shape.factor * width], plain);
}

async function forward(
  model: Module,
  input: Float32Array,
  shape: readonly [number, number, number],
): Promise<ArrayLike<number>> {
  const output = scope(() => noGrad(() => model.forward(tensor(input, [1, ...shape]))));
  const values = await output.data();
  dispose(output);
  return values;
}
