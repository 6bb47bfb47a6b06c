import { type WatchedNetwork, watchGraph } from '../deploy/diff.js';
import type { IntegerGraph } from '../deploy/graph/graph.js';
import { observeIntegers } from '../deploy/lowering/observe.js';
import { tensor } from '../tensor/create.js';
import { dispose } from '../tensor/storage.js';
import { lowerTrained } from '../train/lowerTrained.js';
import { holdsRun } from '../train/node/runFolder.js';
import { readNetwork } from './networkSource.js';
import { loadSubject, type Subject, subjectPath } from './subject.js';

/** A network that `a2q diff` compares. */
export interface Watched {
  readonly network: WatchedNetwork;
  readonly graph: IntegerGraph;
  /** The run behind it; null for files of networks. */
  readonly subject: Subject | null;
  dispose(): void;
}

/** Opens the folder of a run, a network of integers, or an ONNX file. @throws UsageError if it is not there */
export async function openWatched(path: string): Promise<Watched> {
  if (!(await holdsRun(path))) {
    const graph = await readNetwork(path);
    return { network: watchGraph(graph), graph, subject: null, dispose: () => undefined };
  }
  const subject = await loadSubject(await subjectPath({ run: path }));
  const { model, checkpoint } = subject;
  const graph = await lowerTrained(model, checkpoint.config, { name: path });
  const watch: WatchedNetwork['watch'] = async (inputs, shape) => {
    const x = tensor(inputs, shape);
    try {
      return await observeIntegers(model, x);
    } finally {
      dispose(x);
    }
  };
  return { network: { nodes: graph.nodes, watch }, graph, subject, dispose: () => model.dispose() };
}
