import { basename, extname, join } from 'node:path';
import { Command } from 'commander';
import { encodePng } from '../../data/node/encodePng.js';
import { readImage } from '../../data/node/images.js';
import { fileExists, makeWritableFolder, writeAtomic } from '../../train/node/files.js';
import { classify, type Guess, upscale } from '../../train/predict.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { Output, percent } from '../output.js';
import { addSubjectOptions, loadSubject, type Subject, type SubjectFlags, subjectPath } from '../subject.js';
import { asUsage, integer, UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly top: number;
  readonly out?: string;
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
    .option('--json', 'machine-readable output')
    .action(predict);
}

async function predict(images: readonly string[], flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  for (const image of images) if (!(await fileExists(image))) throw new UsageError(`there is no file ${image}`);
  const backend = await useBackend(flags);
  const subject = await loadSubject(path);
  try {
    const isClassifier = subject.checkpoint.config.shape.kind === 'labels';
    const work = isClassifier ? tellClasses(subject, images, flags, out) : makePictures(subject, images, flags, out);
    out.result({ checkpoint: path, backend, predictions: await work });
  } finally {
    subject.model.dispose();
  }
}

async function tellClasses({ model, checkpoint }: Subject, images: readonly string[], flags: Flags, out: Output) {
  if (flags.out !== undefined) throw new UsageError('--out: this network tells classes; it makes no pictures');
  const predictions: { image: string; classes: Guess[] }[] = [];
  for (const image of images) {
    const classes = (await classify(model, checkpoint.config, await readImage('predict', image))).slice(0, flags.top);
    out.say(`${image}: ${classes.map(({ name, probability }) => `${name} ${percent(probability)}`).join(', ')}`);
    predictions.push({ image, classes });
  }
  return predictions;
}

async function makePictures({ model, checkpoint }: Subject, images: readonly string[], flags: Flags, out: Output) {
  const targets = await pictureFiles(images, flags.out);
  const predictions: { image: string; picture: string; width: number; height: number }[] = [];
  for (const [i, image] of images.entries()) {
    const made = await upscale(model, checkpoint.config, await readImage('predict', image));
    await writeAtomic(targets[i], encodePng(made));
    const { width, height } = made;
    out.say(`${image}: ${targets[i]}, ${width}x${height} pixels`);
    predictions.push({ image, picture: targets[i], width, height });
  }
  return predictions;
}

/** Where each picture goes. @throws UsageError before any is made */
async function pictureFiles(images: readonly string[], target: string | undefined): Promise<string[]> {
  if (target === undefined) {
    throw new UsageError('this network makes pictures; say where they go: --out FILE.png, or --out FOLDER for several');
  }
  if (extname(target).toLowerCase() === '.png') {
    if (images.length > 1) throw new UsageError(`--out: ${images.length} pictures need a folder, not one file`);
    return [target];
  }
  await asUsage(() => makeWritableFolder(target));
  const files = images.map((image) => join(target, `${basename(image, extname(image))}.png`));
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) throw new UsageError(`--out: two images of the same name would both become ${twice}`);
  return files;
}
