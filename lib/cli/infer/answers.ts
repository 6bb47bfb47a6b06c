import { type Guess, rankClasses } from '../../data/guesses.js';
import { encodePng } from '../../data/node/encodePng.js';
import { readPlanes } from '../../data/normalise.js';
import { decodeOutput } from '../../deploy/graph/decode.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import type { IntegerValue } from '../../deploy/runtime/reference.js';
import { DataError, formatShape } from '../../tensor/errors.js';
import { writeAtomic } from '../../train/node/files.js';
import { percent } from '../output.js';

/** What is told of a network's output: to people, and to machines. */
export interface Answer {
  readonly text: string;
  readonly result: { readonly classes: readonly Guess[] } | { readonly picture: string } | object;
}

/** What to do with outputs. */
export interface AnswerOptions {
  /** How many classes are told. */
  readonly top: number;
  /** Where the picture goes, where the network makes one. */
  readonly picture: string | null;
}

/**
 * The answer to one input: its likeliest classes, the picture made of it, which is written, or, of a network that says
 * nothing of its task, the shape of its output.
 * @throws DataError if the output is no picture
 */
export async function answerOf(graph: IntegerGraph, output: IntegerValue, options: AnswerOptions): Promise<Answer> {
  const { task } = graph;
  const real = decodeOutput(graph, output);
  if (task?.kind === 'labels') {
    const samples = Array.from({ length: output.shape[0] }, (_, n) => {
      const each = real.length / output.shape[0];
      return rankClasses(real.subarray(n * each, (n + 1) * each), task.classes).slice(0, options.top);
    });
    const texts = samples.map((classes) => classes.map((guess) => `${guess.name} ${percent(guess.probability)}`));
    return { text: texts.map((each) => each.join(', ')).join('; '), result: { classes: samples.flat() } };
  }
  if (task === null || options.picture === null) {
    return { text: `an output of shape ${formatShape(output.shape)}`, result: { shape: output.shape } };
  }
  const [samples, channels, height, width] = output.shape;
  if (output.shape.length !== 4 || samples !== 1 || channels !== task.pixels.mean.length) {
    throw new DataError('infer', `an output of shape ${formatShape(output.shape)} is no picture`);
  }
  const made = readPlanes(real, [channels, height, width], task.pixels);
  await writeAtomic(options.picture, encodePng(made));
  return {
    text: `${options.picture}, ${width}x${height} pixels`,
    result: { picture: options.picture, width, height },
  };
}
