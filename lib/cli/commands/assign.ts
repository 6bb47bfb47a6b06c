import { basename, extname } from 'node:path';
import { Command, Option } from 'commander';
import { release } from '../../data/batchSource.js';
import { DATASET_NAMES, type DatasetName } from '../../data/node/datasets.js';
import { type AssignedLayer, assignBits } from '../../deploy/assign/assignBits.js';
import { COSTS, type Cost } from '../../deploy/assign/cost.js';
import { evaluateNetwork, scoredBatches } from '../../deploy/evaluateNetwork.js';
import { encodeNetwork } from '../../deploy/graph/file.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { createRuntime } from '../../deploy/runtime/createRuntime.js';
import type { IntegerValue } from '../../deploy/runtime/reference.js';
import { DataError } from '../../tensor/errors.js';
import { writeAtomic } from '../../train/node/files.js';
import { openBatches } from '../../train/node/openBatches.js';
import { defaultThreads } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { locateTestImages } from '../infer/testData.js';
import { openNetwork } from '../network.js';
import { formatMetric, Output, percent } from '../output.js';
import { makeProgress } from '../progress.js';
import { decimal, integer } from '../usage.js';

interface Flags extends DataFlags {
  readonly model: string;
  readonly dataset: DatasetName;
  readonly cost: Cost;
  readonly maxLoss: number;
  readonly batchSize: number;
  readonly limitBatches: number;
  readonly threads?: number;
  readonly out: string;
  readonly json?: boolean;
}

export function assignCommand(): Command {
  const command = new Command('assign')
    .description('choose the accumulator width of every layer of a network, without training')
    .requiredOption('--model <file>', 'a network that a2q deploy made')
    .requiredOption('--out <file>', 'where the network with its widths goes')
    .addOption(
      new Option('--dataset <name>', 'what to measure on: its test images')
        .choices(DATASET_NAMES)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--cost <name>', 'what to save: bit operations as QONNX counts them, or bits of accumulators')
        .choices(COSTS)
        .default('acc-bits'),
    )
    .option('--max-loss <x>', 'what may be lost: points of accuracy, or dB', decimal(0), 0.5)
    .option('--batch-size <n>', 'images at a time', integer(1), 50)
    .option('--limit-batches <n>', 'batches that each width is measured on, evenly of all classes', integer(1), 10)
    .option('--threads <count>', 'threads of the runtime (default: the processor’s, at most 8)', integer(1, 64));
  return addDataOptions(command).option('--json', 'machine-readable output').action(assign);
}

async function assign(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const { batchSize, limitBatches, cost } = flags;
  const network = await openNetwork(flags.model);
  const source = await locateTestImages(network, flags.dataset, flags.dataDir);
  const progress = makeProgress();
  const dataset = await openBatches(source, 'test', { prefetch: flags.prefetch });
  try {
    const isAccuracy = dataset.kind === 'labels';
    const metricName = isAccuracy ? 'accuracy' : 'psnr';
    const unit = isAccuracy ? 100 : 1;
    let samples: IntegerValue | null = null;
    for await (const { x } of scoredBatches(network, dataset, { batchSize, limitBatches: 1 })) samples = x;
    if (samples === null) throw new DataError('assign', `${dataset.name} has no samples`);
    const measure = async (graph: IntegerGraph) => {
      const runtime = await createRuntime(graph, { engine: 'wasm', threads: flags.threads ?? defaultThreads() });
      try {
        return unit * (await evaluateNetwork(runtime, dataset, { batchSize, limitBatches })).metric;
      } finally {
        runtime.dispose();
      }
    };
    const { graph, layers, metric, ...made } = await assignBits(network, {
      ...{ cost, maxLoss: flags.maxLoss, samples, measure },
      onTry: (layer, bits, loss) => progress.say(`${layer} at ${bits} bits loses ${loss.toFixed(2)}`),
    });
    progress.end();
    const name = basename(flags.out, extname(flags.out)).replace(/\.a2q$/, '');
    await writeAtomic(flags.out, encodeNetwork({ ...graph, name }));
    for (const layer of layers) out.say(describeLayer(layer));
    const [before, now] = made.cost;
    const [was, is] = metric.map((value) => formatMetric(metricName, value / unit));
    out.say(`${cost} ${before.toLocaleString('en-US')} → ${now.toLocaleString('en-US')} (${percent(now / before)})`);
    out.say(`${metricName} ${was} → ${is} on ${batchSize * limitBatches} images; ${flags.out}`);
    out.result({ file: flags.out, costName: cost, metricName, metric, ...made, layers });
  } finally {
    release(dataset);
    progress.end();
  }
}

function describeLayer({ layer, safeBits, bits, zeros: [before, now] }: AssignedLayer): string {
  return `${layer}: P ${safeBits} → ${bits}, zeros ${percent(before)} → ${percent(now)}`;
}
