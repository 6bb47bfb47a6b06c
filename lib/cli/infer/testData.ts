import { DATASETS, type DatasetConfig, type DatasetName, datasetNamed } from '../../data/node/datasets.js';
import { settingOf } from '../../data/setting.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { inferShapes } from '../../deploy/graph/shapes.js';
import { type DataSource, locateData } from '../../train/node/datasets.js';
import { asUsage, UsageError } from '../usage.js';

/**
 * Finds the test images of a data set for a network: sizes, up-scaling factor and the order of classes are the
 * network's own.
 * @throws UsageError naming what is missing, or why these are no images for it
 */
export async function locateTestImages(
  graph: IntegerGraph,
  name: DatasetName,
  dataDir: string | undefined,
): Promise<DataSource> {
  const { task } = graph;
  const { kind, normalisation } = DATASETS[name];
  if (task !== null && task.kind !== kind) {
    const does = task.kind === 'labels' ? 'tells classes' : 'makes pictures';
    throw new UsageError(`--dataset: the network ${does}; ${name} holds ${kind === 'labels' ? 'classes' : 'pairs'}`);
  }
  if (task !== null && kind === 'labels' && !sameNumbers(task.pixels, normalisation)) {
    throw new UsageError(`--dataset: pixels of ${name} are normalised otherwise than those of the network`);
  }
  const found = await asUsage(() => locateData(configFor(graph, name), dataDir, { splits: ['test'] }));
  return task?.kind === 'labels' ? { ...found, classes: task.classes } : found;
}

/** The settings of a data set that suit a network; its defaults for all others. */
function configFor(graph: IntegerGraph, name: DatasetName): DatasetConfig {
  const [, side] = graph.input.shape;
  const [, , height] = inferShapes(graph).get(graph.output.value) ?? [];
  const suited: Readonly<Record<string, unknown>> = { size: side, factor: height / side };
  const settings = Object.entries(datasetNamed(name).settings).map(([key, schema]) => {
    return [key, suited[key] ?? settingOf(schema as never)?.default];
  });
  return { name, ...Object.fromEntries(settings) } as DatasetConfig;
}

interface PixelNumbers {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const sameNumbers = (a: PixelNumbers, b: PixelNumbers) =>
  JSON.stringify([a.mean, a.std]) === JSON.stringify([b.mean, b.std]);
