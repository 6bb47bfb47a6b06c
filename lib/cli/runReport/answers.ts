import type { Batchable } from '../../data/batchSource.js';
import type { Batch, ImageBatch, LabelBatch } from '../../data/dataset.js';
import { probabilities } from '../../data/guesses.js';
import { psnr } from '../../data/metrics.js';
import { identityNormalisation, readPlanes } from '../../data/normalise.js';
import type { Pixels } from '../../data/pixels.js';
import { resize } from '../../data/resize.js';
import type { Module } from '../../nn/module.js';
import { type EvaluateOptions, type Evaluation, evaluate } from '../../train/evaluate.js';
import { taskOf } from '../../train/task.js';

/** What a network makes of its test images. */
export type Answers = Labels | Pictures;

/** Classes it told, and those it mistook. */
export interface Labels extends Evaluation {
  readonly kind: 'labels';
  readonly dataset: string;
  readonly classes: readonly string[];
  /** How many images of class i were taken for class j, [i][j]. */
  readonly confusion: readonly (readonly number[])[];
  /** The mistakes it was surest of, the surest first. */
  readonly mistakes: readonly Mistake[];
}

export interface Mistake {
  readonly image: Pixels;
  readonly label: number;
  readonly taken: number;
  /** The probability it gave to the wrong class. */
  readonly confidence: number;
}

/** Images it made. */
export interface Pictures extends Evaluation {
  readonly kind: 'images';
  readonly dataset: string;
  readonly pictures: readonly Picture[];
}

export interface Picture {
  readonly input: Pixels;
  readonly made: Pixels;
  readonly target: Pixels;
  /** Up-scaling without a network, to compare with. */
  readonly bicubic: Pixels;
  /** dB, of what the network made and of the bicubic one. */
  readonly psnr: number;
  readonly bicubicPsnr: number;
}

const SHOWN_MISTAKES = 12;
const SHOWN_PICTURES = 3;

/** Evaluates a model, and keeps what a report shows of it. @throws as `evaluate` */
export async function answers(model: Module, test: Batchable, options: EvaluateOptions): Promise<Answers> {
  const task = taskOf(test);
  if (test.kind === 'images') {
    const pictures: Picture[] = [];
    const onOutput = (output: ArrayLike<number>, batch: Batch) => {
      if (batch.kind === 'images' && pictures.length < SHOWN_PICTURES) pictures.push(...picturesOf(output, batch));
    };
    const result = await evaluate(model, test, task, { ...options, onOutput });
    return { kind: 'images', dataset: test.name, ...result, pictures: pictures.slice(0, SHOWN_PICTURES) };
  }
  const { classes, normalisation } = test;
  const confusion = classes.map(() => classes.map(() => 0));
  let mistakes: Mistake[] = [];
  const onOutput = (output: ArrayLike<number>, batch: Batch) => {
    if (batch.kind !== 'labels') return;
    const told = tell(output, batch, classes.length);
    for (const { label, taken } of told) confusion[label][taken] += 1;
    const wrong = told.filter(({ label, taken }) => label !== taken);
    const seen = wrong.map(({ index, ...each }) => ({
      ...each,
      image: readPlanes(inputOf(batch, index), test.inputShape, normalisation),
    }));
    mistakes = [...mistakes, ...seen].sort((a, b) => b.confidence - a.confidence).slice(0, SHOWN_MISTAKES);
  };
  const result = await evaluate(model, test, task, { ...options, onOutput });
  return { kind: 'labels', dataset: test.name, classes, ...result, confusion, mistakes };
}

/** For each image of a batch, what it is and what it was taken for. */
function tell(output: ArrayLike<number>, { targets, size }: LabelBatch, classes: number) {
  return Array.from({ length: size }, (_, index) => {
    const shares = probabilities(Array.prototype.slice.call(output, index * classes, (index + 1) * classes));
    const confidence = shares.reduce((most, share) => Math.max(most, share), 0);
    return { index, label: targets[index], taken: Math.max(0, shares.indexOf(confidence)), confidence };
  });
}

function inputOf({ inputs, size }: Batch, index: number): Float32Array {
  const each = inputs.length / size;
  return inputs.subarray(index * each, (index + 1) * each);
}

function picturesOf(output: ArrayLike<number>, batch: ImageBatch): Picture[] {
  const [, channels, height, width] = batch.targetShape;
  const shape = [channels, height, width] as const;
  const plain = identityNormalisation(channels);
  const each = channels * height * width;
  return Array.from({ length: Math.min(batch.size, SHOWN_PICTURES) }, (_, i) => {
    const [, , inputHeight, inputWidth] = batch.inputShape;
    const input = readPlanes(inputOf(batch, i), [channels, inputHeight, inputWidth], plain);
    const bicubic = resize(input, width, height, 'bicubic');
    const made: ArrayLike<number> = Array.prototype.slice.call(output, i * each, (i + 1) * each);
    const wanted = batch.targets.subarray(i * each, (i + 1) * each);
    const target = readPlanes(wanted, shape, plain);
    return {
      ...{ input, bicubic, target, made: readPlanes(made, shape, plain) },
      psnr: psnr(made, wanted),
      bicubicPsnr: psnr(bicubic.data, target.data, 255),
    };
  });
}
