import t from 'tap';
import type { FixedPointNode, GraphNode, IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges, scalingRange } from '../../../lib/deploy/graph/ranges.js';
import { inferShapes } from '../../../lib/deploy/graph/shapes.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { alike, PLAIN, tinyConv, tinyGraph } from '../tinyGraph.js';

/** Every input of a network's grid, as one batch. */
function everyInput({ input: { shape, low, high } }: IntegerGraph) {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const levels = high - low + 1;
  const count = levels ** size;
  const data = Int32Array.from({ length: count * size }, (_, i) => {
    return low + (Math.floor(Math.floor(i / size) / levels ** (i % size)) % levels);
  });
  return { shape: [count, ...shape], data };
}

/** The extremes of each channel of the output over every input. */
function measured(graph: IntegerGraph) {
  const { shape, data } = runReference(graph, everyInput(graph));
  const area = shape.slice(2).reduce((product, extent) => product * extent, 1);
  const low = new Array<number>(shape[1]).fill(Number.POSITIVE_INFINITY);
  const high = new Array<number>(shape[1]).fill(Number.NEGATIVE_INFINITY);
  for (const [i, value] of data.entries()) {
    const channel = Math.floor(i / area) % shape[1];
    low[channel] = Math.min(low[channel], value);
    high[channel] = Math.max(high[channel], value);
  }
  return { low, high };
}

function inferred(graph: IntegerGraph) {
  const { low, high } = inferRanges(graph).get(graph.output.value) as ChannelRange;
  return { low: [...low], high: [...high] };
}

t.test('ranges are what every input together reaches', (t) => {
  const flat = { shape: [3], low: -2, high: 3 };
  const image = { shape: [1, 2, 2], low: -1, high: 2 };
  const linear: GraphNode = {
    op: 'linear',
    name: 'y',
    inputs: ['x'],
    weights: 'w',
    weightBits: 4,
    accumulatorBits: null,
  };
  const rows = [3, -2, 0, 1, 1, 1, -7, -1, -4, 0, 0, 0];
  t.strictSame(...both(tinyGraph([linear], { input: flat, tensors: { w: [[4, 3], rows] } })));
  const kernels = [1, -2, 3, 0, -1, -1, -1, -1];
  const conv = (given = {}) => tinyGraph([tinyConv(given)], { input: image, tensors: { w: [[2, 1, 2, 2], kernels] } });
  t.strictSame(...both(conv()));
  t.strictSame(...both(conv({ padding: [1, 1] })), 'zeros around the image are inputs too');
  t.strictSame(...both(conv({ resize: 2 })), 'in the middle each tap sees another pixel');
  const pool = { ...PLAIN, kernel: [2, 2] as const, padding: [1, 1] as const };
  t.strictSame(...both(tinyGraph([{ op: 'sumPool', name: 'y', inputs: ['x'], ...pool }], { input: image })));
  t.strictSame(...both(tinyGraph([{ op: 'maxPool', name: 'y', inputs: ['x'], ...pool }], { input: image })));
  t.strictSame(...both(tinyGraph([{ op: 'upsample', name: 'y', inputs: ['x'], factor: 2 }], { input: image })));
  const permute = { op: 'permute', name: 'y', inputs: ['x'], axes: [0, 3, 2, 1] } as const;
  t.strictSame(inferred(tinyGraph([permute], { input: image })), { low: [-1], high: [2] });
  t.end();

  function both(graph: IntegerGraph) {
    return [inferred(graph), spread(measured(graph), inferred(graph).low.length)] as const;
  }

  /** One range for all channels where the inferred one is such. */
  function spread({ low, high }: { low: number[]; high: number[] }, channels: number) {
    return channels === 1 ? { low: [Math.min(...low)], high: [Math.max(...high)] } : { low, high };
  }
});

t.test('no prefix of a sum, in any order, leaves the range', (t) => {
  const q = [5, -3, 2, -6];
  const graph = tinyGraph([tinyConv({ weightBits: 4 })], {
    input: { shape: [4, 1, 1], low: -2, high: 1 },
    tensors: { w: [[1, 4, 1, 1], q] },
  });
  const orders = (left: readonly number[]): number[][] =>
    left.length === 0
      ? [[]]
      : left.flatMap((k) => orders(left.filter((other) => other !== k)).map((rest) => [k, ...rest]));
  const x = everyInput(graph);
  let [least, most] = [0, 0];
  for (let n = 0; n < x.shape[0]; n++) {
    for (const order of orders([0, 1, 2, 3])) {
      let sum = 0;
      for (const k of order) {
        sum += q[k] * x.data[n * 4 + k];
        least = Math.min(least, sum);
        most = Math.max(most, sum);
      }
    }
  }
  t.strictSame(inferred(graph), { low: [least], high: [most] });
  t.end();
});

t.test('sums go on from what came before', (t) => {
  const at = <T extends object>(name: string, from: string, given: T) => ({ name, inputs: [from], ...given });
  const graph = tinyGraph(
    [
      tinyConv({ name: 'a', weights: 'w' }),
      at('m', 'a', { op: 'maxPool', ...PLAIN, kernel: [2, 2], padding: [1, 1] } as const),
      { op: 'add', name: 'sum', inputs: ['m', 'm', 'm'] },
      { op: 'concat', name: 'both', inputs: ['sum', 'm'] },
      at('shuffled', 'both', { op: 'pixelShuffle', factor: 2 } as const),
      at('planes', 'shuffled', { op: 'sumPool', ...PLAIN, kernel: null } as const),
      at('flat', 'planes', { op: 'reshape', shape: [-1] } as const),
    ],
    {
      input: { shape: [2, 4, 6], low: -1, high: 3 },
      tensors: {
        w: [
          [2, 2, 1, 1],
          [1, 2, 0, -5],
        ],
      },
    },
  );
  const ranges = inferRanges(graph);
  const told = (name: string) => extremesOf(ranges.get(name) as ChannelRange);
  t.strictSame(ranges.get('a'), { low: Float64Array.of(-3, -15), high: Float64Array.of(9, 5) });
  t.strictSame(ranges.get('m'), ranges.get('a'), 'each channel its own');
  t.strictSame(told('sum'), { low: -45, high: 27 });
  t.strictSame(told('both'), { low: -45, high: 27 });
  t.strictSame(told('shuffled'), { low: -45, high: 27 });
  t.strictSame(told('planes'), { low: -45 * 140, high: 27 * 140 }, '10 × 14 pixels');
  t.strictSame(told('flat'), told('planes'));
  const larger = extremesOf(inferRanges(graph, inferShapes(graph, [1, 2, 9, 9])).get('planes') as ChannelRange);
  t.strictSame(larger, { low: -45 * 400, high: 27 * 400 }, 'planes of a larger image sum more');
  t.end();
});

t.test('what a network computes stays within its ranges', (t) => {
  for (const seed of [1, 2, 3]) {
    const graph = randomGraph({ seed, accumulatorBits: 10, size: 5 });
    const ranges = inferRanges(graph);
    runReference(graph, randomInput(graph, 3, seed), {
      see: ({ name }, { shape, data }) => {
        const { low, high } = ranges.get(name) as ChannelRange;
        const area = shape.slice(2).reduce((product, extent) => product * extent, 1);
        const outside = data.findIndex((value, i) => {
          const channel = low.length === 1 ? 0 : Math.floor(i / area) % shape[1];
          return value < low[channel] || value > high[channel];
        });
        t.equal(outside, -1, name);
      },
    });
  }
  t.end();
});

t.test('what int32 cannot hold is refused', (t) => {
  const wide = (values: number[], high: number, more: GraphNode[] = []) =>
    inferRanges(
      tinyGraph([tinyConv({ weightBits: 32 }), ...more], {
        input: { shape: [1, 1, 1], low: 0, high },
        tensors: { w: [[1, 1, 1, 1], values] },
      }),
    );
  t.equal(extremesOf(wide([1], 2 ** 31 - 1).get('y') as ChannelRange).high, 2 ** 31 - 1);
  t.equal(extremesOf(wide([-(2 ** 16)], 2 ** 15).get('y') as ChannelRange).low, -(2 ** 31));
  t.throws(() => wide([2], 2 ** 30), /y can be 0 … 2147483648, beyond int32/);
  t.throws(() => wide([-(2 ** 31)], 2 ** 31 - 1), /beyond int32/);
  t.throws(() => wide([1], 2 ** 30, [{ op: 'add', name: 'z', inputs: ['y', 'y'] }]), /z can be 0 … 2147483648/);
  const pool: GraphNode = { op: 'sumPool', name: 'z', inputs: ['x'], ...PLAIN, kernel: null };
  const pooled = (side: number) => inferRanges(tinyGraph([pool], { input: { shape: [1, side, 128], high: 2 ** 16 } }));
  t.ok(pooled(255));
  t.throws(() => pooled(256), /z can be 0 … 2147483648, beyond int32/);
  t.end();
});

t.test('a fixed-point product and its offset have 53 bits', (t) => {
  const node = (lift: number): FixedPointNode => ({
    ...{ op: 'requantize', mode: 'fixed', name: 'f', inputs: ['x'], low: 0, high: 7, scale: 1, lift, error: 0 },
    ...{ multiplier: 'm', offset: 'o', shift: 's' },
  });
  const graph = (lift: number, m: number, o: number, s: number, high = 3) =>
    tinyGraph([node(lift)], {
      input: { shape: [2, 1, 1], low: -2, high },
      tensors: { m: [[2], [5, m]], o: [[2], [0, o]], s: [[2], [1, s]] },
    });
  const register = (...given: Parameters<typeof graph>) => {
    const made = graph(...given);
    inferRanges(made);
    return scalingRange(made.nodes[0] as FixedPointNode, inferRanges(made).get('x') as ChannelRange, made.tensors);
  };
  // Sums of a·m, o·2^lift and the half, taken in any order, for a of −2 … 3.
  t.strictSame(register(2, 4, 1, 3), { low: -10, high: 20 });
  t.strictSame(register(2, -7, -1, 3), { low: -25, high: 18 });
  t.strictSame(register(0, 0, 0, 0), { low: -10, high: 16 });
  t.strictSame(register(20, 2 ** 31 - 1, 2 ** 31 - 1, 0, 2 ** 20), {
    low: -2 * (2 ** 31 - 1),
    high: 2 * (2 ** 31 - 1) * 2 ** 20,
  });
  const beyond = /f: its products can leave the 53 bits in which they are exact/;
  t.throws(() => register(0, 2 ** 31 - 1, 0, 0, 2 ** 23), beyond);
  t.throws(() => register(52, 1, 2 ** 20, 0), beyond);
  t.throws(() => register(22, 0, -(2 ** 31), 0), beyond);
  t.end();
});

t.test('one row stands for all channels, and one range for all rows', (t) => {
  const node: FixedPointNode = {
    ...{ op: 'requantize', mode: 'fixed', name: 'f', inputs: ['y'], low: 0, high: 7, scale: 1, lift: 0, error: 0 },
    ...{ multiplier: 'm', offset: 'o', shift: 's' },
  };
  const values = (rows: number) => ({ m: alike([rows], 2), o: alike([rows], 0), s: alike([rows], 0) });
  const ranges = { low: Float64Array.of(-1, -5), high: Float64Array.of(9, 0) };
  for (const rows of [1, 2]) {
    const { tensors } = tinyGraph([node], { tensors: values(rows) });
    t.strictSame(scalingRange(node, ranges, tensors), { low: -10, high: 18 });
    t.strictSame(scalingRange(node, { low: Float64Array.of(-1), high: Float64Array.of(4) }, tensors), {
      low: -2,
      high: 8,
    });
  }
  t.end();
});
