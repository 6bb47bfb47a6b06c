import Table from 'cli-table3';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { batchesOf, release } from '../../data/batchSource.js';
import { DATASET_NAMES, type DatasetName } from '../../data/node/datasets.js';
import { type DiffBatch, diffNetworks, type NetworkDifference, type ValueDifference } from '../../deploy/diff.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { openBatches } from '../../train/node/openBatches.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { fileBatches } from '../diffInputs.js';
import { locateTestImages } from '../infer/testData.js';
import { Output, percent } from '../output.js';
import { checkImages } from '../pictureFiles.js';
import { locateTestData } from '../subjectData.js';
import { decimal, EXIT, integer, UsageError } from '../usage.js';
import { openWatched, type Watched } from '../watched.js';

interface Flags extends BackendFlags, DataFlags {
  readonly data?: readonly string[];
  readonly dataset?: DatasetName;
  readonly images: number;
  readonly batchSize: number;
  readonly tolerance: number;
  readonly json?: boolean;
}

export function diffCommand(): Command {
  const command = new Command('diff')
    .description('where two networks begin to differ: runs, networks of integers and ONNX files, value by value')
    .argument('<a>', 'the folder of a run, a network that a2q deploy or import wrote, or an ONNX file')
    .argument('<b>', 'another of these')
    .option('--data <file...>', 'JPEG or PNG images, or arrays: .npy, .pb (default: a data set)')
    .addOption(
      new Option('--dataset <name>', 'test images of a data set (default: of the run)').choices(DATASET_NAMES),
    );
  return addBackendOptions(addDataOptions(command))
    .option('--images <n>', 'how many test images', integer(1), 16)
    .option('--batch-size <n>', 'how many at a time', integer(1), 8)
    .option('--tolerance <steps>', 'steps by which integers may differ', decimal(0), 0)
    .option('--json', 'machine-readable output')
    .action(diff);
}

async function diff(a: string, b: string, flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  if (flags.data !== undefined && flags.dataset !== undefined)
    throw new UsageError('--data and --dataset exclude one another');
  if (flags.data !== undefined) await checkImages(flags.data);
  await useBackend(flags);
  const [left, right] = [await openWatched(a), await openWatched(b)];
  try {
    const batches = await inputsFor([left, right], flags, out);
    const found = await diffNetworks(left.network, right.network, batches, { tolerance: flags.tolerance });
    tell(found, out);
    out.result({ a, b, tolerance: flags.tolerance, differs: found.first !== null, ...found });
    if (found.first !== null) process.exitCode = EXIT.failure;
  } finally {
    left.dispose();
    right.dispose();
  }
}

/** The inputs that were asked for. @throws UsageError if none are, and no run says which */
async function inputsFor(
  both: readonly [Watched, Watched],
  flags: Flags,
  out: Output,
): Promise<AsyncIterable<DiffBatch>> {
  const knowing = both.find(({ graph }) => graph.task !== null) ?? both[0];
  if (flags.data !== undefined) return fileBatches(flags.data, knowing.graph);
  const run = both.find(({ subject }) => subject !== null)?.subject ?? null;
  if (flags.dataset === undefined && run === null) throw new UsageError('name inputs: --data FILE or --dataset NAME');
  const source =
    flags.dataset === undefined && run !== null
      ? await locateTestData(run, flags, out)
      : await locateTestImages(knowing.graph, flags.dataset as DatasetName, flags.dataDir);
  return testBatches(source, flags, knowing.graph);
}

async function* testBatches(
  source: Parameters<typeof openBatches>[0],
  { images, batchSize, prefetch }: Flags,
  { input }: IntegerGraph,
): AsyncGenerator<DiffBatch> {
  const test = await openBatches(source, 'test', { prefetch });
  try {
    if (test.inputShape[0] !== input.shape[0])
      throw new UsageError(`images of ${test.name} are no inputs of the network`);
    const limit = Math.ceil(images / batchSize);
    let left = images;
    for await (const { inputs, inputShape } of batchesOf(test, { batchSize, limit, balanced: true })) {
      const [size, ...sample] = inputShape;
      const count = Math.min(size, left);
      left -= count;
      const length = inputs.length / size;
      yield { inputs: inputs.subarray(0, count * length), inputShape: [count, ...sample] };
    }
  } finally {
    release(test);
  }
}

function tell(found: NetworkDifference, out: Output): void {
  const { layers, output, first, matchedBy, samples, unmatched } = found;
  const style = { head: [], border: [], compact: true };
  const table = new Table({
    head: ['value', 'operation', 'differ', 'largest'],
    style,
    colAligns: ['left', 'left', 'right', 'right'],
  });
  for (const each of [...layers, output]) {
    const row = [each.a === each.b ? each.a : `${each.a} / ${each.b}`, each.op, shareOf(each), `${each.largest}`];
    table.push(each === first ? row.map((cell) => pc.red(cell)) : row);
  }
  out.say(table.toString());
  for (const [side, names] of Object.entries(unmatched)) {
    if (names.length > 0) out.say(`only in ${side}: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}`);
  }
  out.say(`${layers.length} values matched by ${matchedBy}, on ${samples} inputs`);
  if (first === null) out.say(pc.green('no value differs'));
  else {
    const at = first.first === null ? '' : ` (batch ${first.first.batch}, at [${first.first.index.join(', ')}])`;
    out.say(pc.red(`the first that differs: ${first.a}, ${shareOf(first)}${at}`));
  }
}

function shareOf({ differing, compared }: ValueDifference): string {
  if (differing === 0) return `0 of ${compared}`;
  const share = differing / compared;
  return `${differing} of ${compared} (${share < 0.001 ? '<0.1 %' : percent(share)})`;
}
