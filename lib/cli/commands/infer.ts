import { Command, Option } from 'commander';
import { release } from '../../data/batchSource.js';
import { DATASET_NAMES, type DatasetName } from '../../data/node/datasets.js';
import { evaluateNetwork } from '../../deploy/evaluateNetwork.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { type LaboratoryOptions, OverflowLaboratory } from '../../deploy/laboratory/laboratory.js';
import { createRuntime, ENGINE_NAMES, type EngineName } from '../../deploy/runtime/createRuntime.js';
import type { Runtime } from '../../deploy/runtime/runtime.js';
import { DataError } from '../../tensor/errors.js';
import { makeWritableFolder, writeAtomic } from '../../train/node/files.js';
import { openBatches } from '../../train/node/openBatches.js';
import { defaultThreads } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { answerOf } from '../infer/answers.js';
import { rawIntegers } from '../infer/rawIntegers.js';
import { holdsArray, readInput } from '../infer/readInput.js';
import { addRegisterOptions, describeTallies, isSweep, type RegisterFlags, registersFor } from '../infer/registers.js';
import { sweepWidths } from '../infer/sweep.js';
import { locateTestImages } from '../infer/testData.js';
import { openNetwork } from '../network.js';
import { formatMetric, Output } from '../output.js';
import { checkImages, type PictureFiles, pictureFiles } from '../pictureFiles.js';
import { makeProgress } from '../progress.js';
import { asUsage, EXIT, integer, UsageError } from '../usage.js';

interface Flags extends DataFlags, RegisterFlags {
  readonly model: string;
  readonly input?: readonly string[];
  readonly dataset?: DatasetName;
  readonly beside?: readonly string[];
  readonly batchSize: number;
  readonly limitBatches?: number;
  readonly runtime?: EngineName;
  readonly threads?: number;
  readonly raw?: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly top: number;
  readonly json?: boolean;
}

export function inferCommand(): Command {
  const command = new Command('infer')
    .description('run a network of integers: on images, on arrays, or on test images for its metric')
    .requiredOption('--model <file>', 'a network that a2q deploy made')
    .option('--input <file...>', 'JPEG or PNG images, or an array: .npy, or ONNX’s .pb (required without --dataset)')
    .addOption(
      new Option('--dataset <name>', 'measure on its test images (required without --input)').choices(DATASET_NAMES),
    );
  addDataOptions(command)
    .option('--batch-size <n>', 'test images at a time', integer(1), 16)
    .option('--limit-batches <n>', 'stop after n batches, evenly of all classes (default: all)', integer(1))
    .addOption(new Option('--runtime <engine>', 'what runs it (default: wasm)').choices(ENGINE_NAMES))
    .option('--threads <count>', 'threads of the wasm runtime (default: the processor’s, at most 8)', integer(1, 64))
    .option('--top <n>', 'show the n likeliest classes', integer(1), 3)
    .option('--out <path>', 'where up-scaled pictures go: a .png file, or a folder (required for them)')
    .option('--force', 'replace pictures that are there')
    .option('--raw <file>', 'write integers of the smallest type that holds them (default: the answer alone)')
    .option('--json', 'machine-readable output');
  return addRegisterOptions(command)
    .option('--beside <file...>', 'other networks to compare with, for --report (default: none)')
    .action(infer);
}

async function infer(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const { input = [], dataset } = flags;
  if (input.length > 0 === (dataset !== undefined)) throw new UsageError('name either --input FILE or --dataset NAME');
  checkMode(flags);
  const graph = await openNetwork(flags.model);
  const registers = await registersFor(graph, flags);
  if (dataset && registers && isSweep(flags)) {
    const others = await Promise.all((flags.beside ?? []).map(openNetwork));
    return sweepWidths([graph, ...others], dataset, flags, out);
  }
  const laboratory = registers ? new OverflowLaboratory(graph, registers) : null;
  const runtime = laboratory
    ? laboratoryRuntime(graph, laboratory, registers)
    : await createRuntime(graph, runtimeOptions(flags));
  try {
    const made = dataset
      ? await measure(runtime, dataset, flags, out)
      : flags.raw === undefined
        ? await answerAll(runtime, input, flags, out)
        : await writeRaw(runtime, input[0], flags.raw, out);
    const told = laboratory === null ? [] : describeTallies(laboratory.layers, registers?.overflow ?? 'wrap');
    for (const line of told) out.say(line);
    out.result({ model: flags.model, runtime: runtime.name, ...made, registers: laboratory?.layers ?? null });
  } finally {
    runtime.dispose();
  }
}

/** @throws UsageError if options do not go together */
function checkMode(flags: Flags): void {
  const { input = [], dataset, raw, out, runtime } = flags;
  if (dataset !== undefined && raw !== undefined) throw new UsageError('--raw goes with --input');
  if (dataset !== undefined && out !== undefined) throw new UsageError('--out goes with --input');
  if (flags.beside !== undefined && !isSweep(flags)) throw new UsageError('--beside goes with --acc-bits P..Q');
  if (dataset === undefined && isSweep(flags)) throw new UsageError('many widths, or --report, go with --dataset');
  if (raw !== undefined && out !== undefined) throw new UsageError('--raw and --out exclude one another');
  if (input.length > 1 && (raw !== undefined || input.some(holdsArray))) {
    throw new UsageError('--input: one file at a time, unless all are images to be answered');
  }
  const simulated = flags.accBits !== undefined || flags.innerBits !== undefined;
  if (simulated && (runtime !== undefined || flags.threads !== undefined)) {
    throw new UsageError('simulated registers run on nothing but themselves: leave out --runtime and --threads');
  }
}

function runtimeOptions({ runtime: engine = 'wasm', threads }: Flags) {
  if (engine !== 'wasm') {
    if (threads !== undefined && threads > 1) throw new UsageError(`--threads: the ${engine} runtime has one thread`);
    return { engine };
  }
  return { engine, threads: threads ?? defaultThreads() };
}

/** The laboratory in the place of an engine. */
function laboratoryRuntime(
  graph: IntegerGraph,
  laboratory: OverflowLaboratory,
  registers: LaboratoryOptions | null,
): Runtime {
  return {
    ...{ name: `simulated registers (${registers?.overflow})`, graph },
    plan: graph.nodes.map(({ name }) => ({ node: name, kernel: 'simulated', threads: 1 })),
    run: (x) => laboratory.run(x),
    dispose: () => undefined,
  };
}

async function measure(runtime: Runtime, name: DatasetName, flags: Flags, out: Output): Promise<object> {
  const source = await locateTestImages(runtime.graph, name, flags.dataDir);
  const progress = makeProgress();
  const test = await openBatches(source, 'test', { prefetch: flags.prefetch });
  let begun = false;
  try {
    const start = performance.now();
    const { metricName, metric, samples } = await evaluateNetwork(runtime, test, {
      batchSize: flags.batchSize,
      limitBatches: flags.limitBatches ?? null,
      onBatch(done, total) {
        if (!begun) progress.begin('testing', total);
        begun = true;
        progress.update(done);
      },
    });
    const seconds = (performance.now() - start) / 1000;
    progress.end();
    out.say(`${metricName} ${formatMetric(metricName, metric)} on ${samples} images of ${test.name} (${runtime.name})`);
    return { dataset: test.name, metricName, metric, samples, seconds };
  } finally {
    release(test);
    progress.end();
  }
}

async function writeRaw(runtime: Runtime, input: string, file: string, out: Output): Promise<object> {
  const { shape, data } = await runtime.run(await readInput(runtime.graph, input));
  const { type, bytes } = rawIntegers(data);
  await writeAtomic(file, bytes);
  out.say(`${file}: ${type} [${shape.join(', ')}] (${runtime.name})`);
  return { raw: file, type, shape };
}

async function answerAll(runtime: Runtime, inputs: readonly string[], flags: Flags, out: Output): Promise<object> {
  const { graph } = runtime;
  await checkImages(inputs);
  const place = await picturesOf(graph, inputs, flags);
  const answers: object[] = [];
  for (const [i, file] of inputs.entries()) {
    try {
      const output = await runtime.run(await readInput(graph, file));
      const answer = await answerOf(graph, output, { top: flags.top, picture: place?.files[i] ?? null });
      out.say(`${file}: ${answer.text}`);
      answers.push({ input: file, ...answer.result });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      out.note(`error: ${error.message.includes(file) ? error.message : `${file}: ${error.message}`}`);
      answers.push({ input: file, error: { type: error.name, message: error.message } });
      process.exitCode = EXIT.failure;
    }
  }
  out.note(`on ${runtime.name}`);
  return { answers };
}

/** Where pictures go; null if none are made. @throws UsageError if that is not said, or has no meaning */
async function picturesOf(graph: IntegerGraph, inputs: readonly string[], flags: Flags): Promise<PictureFiles | null> {
  if (graph.task?.kind !== 'images') {
    if (flags.out !== undefined) throw new UsageError('--out: this network makes no pictures');
    return null;
  }
  if (flags.out === undefined) {
    throw new UsageError('this network makes pictures; say where they go: --out FILE.png, or --out FOLDER for several');
  }
  const place = await pictureFiles(inputs, flags.out, flags.force ?? false);
  await asUsage(() => makeWritableFolder(place.folder));
  return place;
}
