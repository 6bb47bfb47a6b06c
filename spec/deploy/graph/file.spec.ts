import t from 'tap';
import { checkGraph } from '../../../lib/deploy/graph/check.js';
import { decodeNetwork, encodeNetwork } from '../../../lib/deploy/graph/file.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';

t.test('a network survives its file, and computes the same', async (t) => {
  for (const seed of [1, 2, 3]) {
    const graph = randomGraph({ seed });
    checkGraph(graph, 'random');
    const bytes = encodeNetwork(graph);
    const read = decodeNetwork(bytes, 'net');
    t.strictSame(
      [...read.tensors],
      [...graph.tensors].sort(
        (a, b) => [...read.tensors.keys()].indexOf(a[0]) - [...read.tensors.keys()].indexOf(b[0]),
      ),
    );
    t.strictSame({ ...read, tensors: null }, { ...graph, tensors: null });
    t.strictSame(encodeNetwork(read).length, bytes.length);
    const x = randomInput(graph, 2, seed);
    const y = runReference(graph, x);
    t.strictSame(y.shape, [2, 10]);
    t.strictSame(runReference(read, x), y);
    t.ok(new Set(y.data).size > 3, 'results differ');
  }
});
