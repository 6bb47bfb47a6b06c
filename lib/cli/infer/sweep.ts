import Table from 'cli-table3';
import { release } from '../../data/batchSource.js';
import type { DatasetName } from '../../data/node/datasets.js';
import { metricOf, scoredBatches } from '../../deploy/evaluateNetwork.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { accuracyByBits } from '../../deploy/laboratory/accuracyByBits.js';
import { writeAtomic } from '../../train/node/files.js';
import { openBatches } from '../../train/node/openBatches.js';
import type { DataFlags } from '../dataFlags.js';
import { formatMetric, type Output } from '../output.js';
import { makeProgress } from '../progress.js';
import type { Sweep } from './page.js';
import type { RegisterFlags } from './registers.js';
import { locateTestImages } from './testData.js';

/** What a comparison of widths needs to know. */
export interface SweepFlags extends RegisterFlags, Partial<DataFlags> {
  readonly batchSize: number;
  readonly limitBatches?: number;
}

/** Tries all widths on all networks, tells of them, and draws them if a report is asked for. */
export async function sweepWidths(
  graphs: readonly IntegerGraph[],
  dataset: DatasetName,
  flags: SweepFlags,
  out: Output,
): Promise<void> {
  const sweeps: Sweep[] = [];
  for (const graph of graphs) sweeps.push(await sweepOf(graph, dataset, flags));
  for (const sweep of sweeps) say(sweep, out);
  if (flags.report !== undefined) {
    const { renderSweeps } = await import('./page.js');
    await writeAtomic(flags.report, await renderSweeps(sweeps));
    out.say(`report: ${flags.report}`);
  }
  out.result({ report: flags.report ?? null, networks: sweeps.map(numbersOf) });
}

async function sweepOf(graph: IntegerGraph, dataset: DatasetName, flags: SweepFlags): Promise<Sweep> {
  const { accBits = [], order = 'sequential', layers, batchSize, limitBatches = null, prefetch = true } = flags;
  const source = await locateTestImages(graph, dataset, flags.dataDir);
  const progress = makeProgress();
  const test = await openBatches(source, 'test', { prefetch });
  const total = Math.min(test.length, (limitBatches ?? Number.POSITIVE_INFINITY) * batchSize);
  try {
    progress.begin(`${graph.name} on ${accBits.length} widths`, total);
    const found = await accuracyByBits(graph, scoredBatches(graph, test, { batchSize, limitBatches }), {
      bits: accBits,
      summation: order,
      ...(layers === undefined ? {} : { layers }),
      onBatch: (samples) => progress.update(samples),
    });
    const orderName = typeof order === 'string' ? order : `tiles of ${order.tile}`;
    return { ...found, name: graph.name, metricName: metricOf(test), dataset: test.name, order: orderName };
  } finally {
    release(test);
    progress.end();
  }
}

function say({ name, metricName, exact, samples, dataset, points, layers, order }: Sweep, out: Output): void {
  const metric = (value: number) => formatMetric(metricName, value);
  const safe = Math.max(...layers.map(({ safeBits }) => safeBits));
  out.say(`${name}: ${metricName} ${metric(exact)} on ${samples} images of ${dataset} with exact sums; ${order}`);
  out.say(`no input can overflow ${safe} bits in any of its ${layers.length} layers, in any order`);
  const table = new Table({
    style: { head: [], border: [] },
    head: ['P', 'wrap', 'saturate', 'unchanged images: wrap', 'saturate'],
  });
  for (const { bits, wrap, saturate, unchanged } of points) {
    table.push([bits, metric(wrap), metric(saturate), unchanged.wrap, unchanged.saturate]);
  }
  out.say(table.toString());
}

function numbersOf({ layers, histograms, ...sweep }: Sweep): object {
  return {
    ...sweep,
    layers: layers.map(({ node, ...layer }) => {
      const histogram = histograms.get(node.name);
      return { layer: node.name, ...layer, sums: histogram?.total ?? 0, partialSums: histogram?.bars() ?? [] };
    }),
  };
}
