import t from 'tap';
import { encodeNetwork } from '../../../lib/deploy/graph/file.js';
import { createRuntime, ENGINE_NAMES } from '../../../lib/deploy/runtime/createRuntime.js';
import { loadNetwork } from '../../../lib/deploy/runtime/loadNetwork.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';

const graph = randomGraph({ seed: 1 });

t.test('the reference engine is the definition, node by node', async (t) => {
  const runtime = await createRuntime(graph, { engine: 'reference' });
  const x = randomInput(graph, 2, 1);
  t.same(await runtime.run(x), runReference(graph, x));
  t.equal(runtime.graph, graph);
  t.equal(runtime.name, 'reference');
  t.same(
    runtime.plan.map(({ node }) => node),
    graph.nodes.map(({ name }) => name),
  );
});

t.test('inputs are checked for every engine, before it sees them', async (t) => {
  const x = randomInput(graph, 1, 1);
  for (const engine of ENGINE_NAMES) {
    const runtime = await createRuntime(graph, { engine });
    const refused = (given: object, message: string, name = 'DataError') =>
      t.throws(() => runtime.run({ ...x, ...given }), { name, message }, `${engine}: ${message}`);
    refused({ data: x.data.with(7, 256) }, 'run: inputs are integers of 0 … 255; got 256 at 7');
    refused({ data: x.data.with(0, -1) }, 'run: inputs are integers of 0 … 255; got -1 at 0');
    refused({ data: x.data.slice(1) }, 'run: an input of shape [1, 3, 8, 8] has 192 integers; got 191');
    refused(
      { data: [...x.data] },
      'run: the data of the input must be a Int32Array; got an array of 192',
      'ArgumentError',
    );
    refused({ shape: [1, 4, 8, 6] }, 'graph: inputs must be like [N, 3, 8, 8]; got [1, 4, 8, 6]');
    refused({ shape: [0, 3, 8, 8] }, 'graph: inputs must be like [N, 3, 8, 8]; got [0, 3, 8, 8]');
    refused({ shape: [192] }, 'graph: inputs must be like [N, 3, 8, 8]; got [192]');
    t.throws(() => runtime.run({ shape: [2 ** 20, 3, 8, 2 ** 20], data: x.data }), { name: 'DataError' });
    runtime.dispose();
    runtime.dispose();
    t.throws(() => runtime.run(x), { name: 'BackendError', message: /has been disposed/ });
  }
});

t.test('what is no network or no engine is refused by name', async (t) => {
  await t.rejects(createRuntime(graph, { engine: 'abacus' as never }), {
    name: 'ArgumentError',
    message: /engine must be .*'reference'.*; got 'abacus'/,
  });
  await t.rejects(createRuntime({} as never), { name: 'ArgumentError' });
  await t.rejects(createRuntime(undefined as never), { name: 'ArgumentError' });
  await t.rejects(createRuntime({ ...graph, tensors: new Map() }), {
    name: 'DataError',
    message: /conv1 names the tensor 'conv1\.weight', which is not there/,
  });
});

t.test('a network is loaded from whatever holds its bytes', async (t) => {
  const bytes = encodeNetwork(graph);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  for (const given of [bytes, bytes.slice().buffer, shifted.subarray(3), Buffer.from(bytes)]) {
    t.same(loadNetwork(given).nodes, graph.nodes);
  }
  t.throws(() => loadNetwork(bytes.subarray(0, 100), 'net'), { name: 'DataError', message: /net/ });
  t.throws(() => loadNetwork('net' as never), { name: 'ArgumentError' });
  t.throws(() => loadNetwork(bytes, 3 as never), { name: 'ArgumentError' });
});
