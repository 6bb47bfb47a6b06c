import { Command } from 'commander';
import type { Guess } from '../../data/guesses.js';
import { encodePng } from '../../data/node/encodePng.js';
import { readImage } from '../../data/node/images.js';
import type { Pixels } from '../../data/pixels.js';
import { DataError } from '../../tensor/errors.js';
import { makeWritableFolder, writeAtomic } from '../../train/node/files.js';
import { classify, upscale } from '../../train/predict.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { Output, percent } from '../output.js';
import { checkImages, type PictureFiles, pictureFiles } from '../pictureFiles.js';
import { addSubjectOptions, loadSubject, type Subject, type SubjectFlags, subjectPath } from '../subject.js';
import { asUsage, EXIT, integer, UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly top: number;
  readonly out?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('what a trained network makes of images: classes with their probabilities, or up-scaled pictures')
    .argument('<image...>', 'JPEG or PNG files; for classes, the middle of an image is looked at');
  return addBackendOptions(addSubjectOptions(command))
    .option('--top <n>', 'show the n likeliest classes', integer(1), 3)
    .option(
      '--out <path>',
      'where up-scaled pictures go: a .png file for one image, a folder for several (required for them)',
    )
    .option('--force', 'replace pictures that are there')
    .option('--json', 'machine-readable output')
    .action(predict);
}

async function predict(images: readonly string[], flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  await checkImages(images);
  const place = flags.out === undefined ? null : await pictureFiles(images, flags.out, flags.force ?? false);
  const backend = await useBackend(flags);
  const subject = await loadSubject(path);
  try {
    const isClassifier = subject.checkpoint.config.shape.kind === 'labels';
    const answer = isClassifier ? tellClasses(subject, flags, place) : await makePictures(subject, place);
    const predictions: object[] = [];
    for (const [i, image] of images.entries()) predictions.push({ image, ...(await answerOf(answer, image, i, out)) });
    out.result({ checkpoint: path, backend, predictions });
  } finally {
    subject.model.dispose();
  }
}

/** What is to be told of an image: to people, and to machines. */
interface Answer {
  readonly text: string;
  readonly result: { readonly classes: Guess[] } | { readonly picture: string; width: number; height: number };
}

/** Makes the answer to the i-th image; `save` keeps what there is to keep. */
type Answerer = (image: Pixels, i: number) => Promise<Answer & { readonly save?: () => Promise<void> }>;

/** The answer to one image. One that cannot be used is told, and the command fails in the end. */
async function answerOf(answer: Answerer, image: string, i: number, out: Output): Promise<object> {
  let made: Awaited<ReturnType<Answerer>>;
  try {
    made = await answer(await readImage('predict', image), i);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const { message } = error;
    out.note(`error: ${message.includes(image) ? message : `${image}: ${message}`}`);
    process.exitCode = EXIT.failure;
    return { error: { type: error.name, message } };
  }
  await made.save?.();
  out.say(`${image}: ${made.text}`);
  return made.result;
}

function tellClasses({ model, checkpoint }: Subject, { top }: Flags, place: PictureFiles | null): Answerer {
  if (place) throw new UsageError('--out: this network tells classes; it makes no pictures');
  return async (image) => {
    const classes = (await classify(model, checkpoint.config, image)).slice(0, top);
    return {
      text: classes.map(({ name, probability }) => `${name} ${percent(probability)}`).join(', '),
      result: { classes },
    };
  };
}

async function makePictures({ model, checkpoint }: Subject, place: PictureFiles | null): Promise<Answerer> {
  if (!place) {
    throw new UsageError('this network makes pictures; say where they go: --out FILE.png, or --out FOLDER for several');
  }
  await asUsage(() => makeWritableFolder(place.folder));
  return async (image, i) => {
    const made = await upscale(model, checkpoint.config, image);
    const { width, height } = made;
    const picture = place.files[i];
    return {
      text: `${picture}, ${width}x${height} pixels`,
      result: { picture, width, height },
      save: () => writeAtomic(picture, encodePng(made)),
    };
  };
}
