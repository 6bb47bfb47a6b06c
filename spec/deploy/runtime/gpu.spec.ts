import t from 'tap';
import { certifyNetwork, formatNetworkCertificate } from '../../../lib/deploy/graph/certificate.js';
import { encodeNetwork } from '../../../lib/deploy/graph/file.js';
import { type IntegerGraph, integerTensor } from '../../../lib/deploy/graph/graph.js';
import { createGpuRuntime } from '../../../lib/deploy/runtime/gpu/index.js';
import { dealt, packingFor, packWeights, unpackSums } from '../../../lib/deploy/runtime/gpu/packing.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { windowsGraph } from '../windowsGraph.js';

t.test('as many sums a float32 as are exact', async (t) => {
  const count = (bits: number) => packingFor({ low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 })?.count ?? 0;
  t.strictSame([2, 4, 6, 8, 9, 12, 13, 24, 25, 26].map(count), [8, 6, 4, 3, 2, 2, 1, 1, 1, 0]);
  t.strictSame(packingFor({ low: 0, high: 4095 }), { count: 2, base: 4096, low: 0, high: 4095 });
  t.equal(packingFor({ low: 0, high: 0 })?.base, 1, 'weights of nothing but zeros');
  t.equal(packingFor({ low: 0, high: 2 ** 24 })?.count, 1);
  t.equal(packingFor({ low: 0, high: 2 ** 24 + 1 }), null);
});

t.test('sums at both ends of their range are taken apart again', async (t) => {
  for (const [low, high] of [
    [-2048, 2047],
    [-2047, 0],
    [0, 4095],
    [-128, 127],
    [-3, 100],
    [0, 1],
  ] as const) {
    const packing = packingFor({ low, high });
    if (packing === null) throw new Error(`${low} … ${high} cannot be packed`);
    const ends = [low, high, 0, Math.max(low, -1)];
    const sums = Array.from({ length: ends.length ** 3 }, (_, i) =>
      [i % 4, (i >> 2) % 4, i >> 4].map((at) => ends[at]),
    );
    const deal = dealt(3, 1, packing.count);
    const channels = integerTensor(
      [3, sums.length],
      [0, 1, 2].flatMap((c) => sums.map((each) => each[c])),
    );
    const packed = packWeights(channels, packing, deal);
    t.strictSame(
      [...unpackSums(packed, [1, 3, sums.length], packing, deal).data],
      [...channels.data],
      `${low} … ${high}`,
    );
  }
  const packing = { count: 2, base: 16, low: -3, high: 4 };
  t.throws(() => unpackSums(Float32Array.of(5), [1, 2, 1], packing, dealt(2, 1, 2)), { name: 'DataError' });
});

/** Networks with every node, at widths of sums that pack by eight to one. */
const NETWORKS = [
  randomGraph({ seed: 1, accumulatorBits: 12, zeros: 0.8 }),
  randomGraph({ seed: 2, accumulatorBits: 8, actBits: 2, size: 7 }),
  randomGraph({ seed: 3, weightBits: 8, actBits: 8, zeros: 0 }),
  windowsGraph({ seed: 4, convolutions: 8, pools: 2, range: [-2, 1] }),
];

for (const mode of ['webasm', 'cpu'] as const) {
  t.test(`gpu:${mode} gives the integers of the reference`, async (t) => {
    for (const [n, graph] of NETWORKS.entries()) {
      for (const packed of [true, false]) {
        const runtime = await createGpuRuntime(graph, { mode, packed });
        t.equal(runtime.name, `gpu:${mode}`);
        const counts = new Set(runtime.plan.map(({ kernel }) => kernel));
        const wanted = packed ? n < 2 || n === 3 : false;
        t.equal(
          [...counts].some((kernel) => / [2-8] sums a float32/.test(kernel)),
          wanted,
          [...counts].join(),
        );
        for (const images of [1, 3]) {
          const x = randomInput(graph, images, n);
          t.strictSame(await runtime.run(x), runReference(graph, x), `network ${n}, ${images} images`);
        }
        runtime.dispose();
      }
    }
  });
}

/** One fully connected layer of 4-bit inputs. */
function layer(weights: readonly number[], accumulatorBits: number | null, high = 15): IntegerGraph {
  return {
    ...{
      name: 'layer',
      task: null,
      notes: [],
      tensors: new Map([['w', integerTensor([2, weights.length / 2], weights)]]),
    },
    input: { name: 'x', shape: [weights.length / 2], low: 0, high, scale: 1 },
    nodes: [{ op: 'linear', name: 'fc', inputs: ['x'], weights: 'w', weightBits: 32, accumulatorBits }],
    output: { value: 'fc', decode: [] },
  };
}

t.test('at the very ends of 12 bits', async (t) => {
  const graph = layer([2047, -2048, 0, -2048, 2047, 0], null, 1);
  const runtime = await createGpuRuntime(graph, { mode: 'webasm' });
  t.match(runtime.plan, [{ kernel: 'gpu:webasm, 2 sums a float32' }]);
  for (const [a, b] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]) {
    const data = Int32Array.of(a, b, 1);
    t.strictSame([...(await runtime.run({ shape: [1, 3], data })).data], [2047 * a - 2048 * b, 2047 * b - 2048 * a]);
  }
});

t.test('what is not proved does not run', async (t) => {
  const mode = 'cpu';
  await t.rejects(createGpuRuntime(layer([200, 1, 1, 1], 12), { mode }), {
    name: 'QuantError',
    message: /fc claims 12 bits; its sums can be 0 … 3015/,
  });
  await t.rejects(createGpuRuntime(layer([2 ** 21, 1, 1, 1], null), { mode }), {
    name: 'QuantError',
    message: /the sums of fc can be 0 … 31457295, beyond 2\^24/,
  });
  const graph = layer([100, -30, 1, 1], 12);
  const certificate = new TextEncoder().encode(formatNetworkCertificate(await certifyNetwork(encodeNetwork(graph))));
  const runtime = await createGpuRuntime(graph, { mode, certificate });
  const x = { shape: [1, 2], data: Int32Array.of(15, 3) };
  t.strictSame((await runtime.run(x)).data, Int32Array.of(1410, 18));
  await t.rejects(createGpuRuntime(layer([100, -31, 1, 1], 12), { mode, certificate }), {
    name: 'QuantError',
    message: /the certificate does not hold: /,
  });
  await t.rejects(createGpuRuntime(graph, { mode: 'metal' as 'cpu' }), { name: 'ArgumentError' });
});
