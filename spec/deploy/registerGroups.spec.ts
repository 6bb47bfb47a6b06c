import t from 'tap';
import { registerReport } from '../../lib/cli/registerReport.js';
import { type IntegerGraph, type IntegerTensor, integerTensor } from '../../lib/deploy/graph/graph.js';
import { registerGroups } from '../../lib/deploy/registerGroups.js';
import { Random } from '../../lib/tensor/random.js';
import { randomGraph } from './randomGraph.js';

/** One fully connected layer. */
function layer(rows: readonly (readonly number[])[], low: number, high: number): IntegerGraph {
  const shape = [rows.length, rows[0].length];
  return {
    ...{ name: 'layer', task: null, notes: [], tensors: new Map([['w', integerTensor(shape, rows.flat())]]) },
    input: { name: 'x', shape: [shape[1]], low, high, scale: 1 },
    nodes: [{ op: 'linear', name: 'fc', inputs: ['x'], weights: 'w', weightBits: 32, accumulatorBits: null }],
    output: { value: 'fc', decode: [] },
  };
}

const groupsOf = (row: readonly number[], low: number, high: number, bits: number) =>
  registerGroups(layer([row], low, high), bits)[0].channels?.[0] ?? null;

t.test('a channel with P = 12 and N = 4 spent needs 17 registers of eight bits', async (t) => {
  // 136 units of either sign: ⌊2047/15⌋.
  const row = [...new Array(19).fill(7), 3, ...new Array(19).fill(-7), -3, 0];
  t.equal(groupsOf(row, 0, 15, 8)?.length, 17);
  t.equal(groupsOf([...row, 1], 0, 15, 8)?.length, 18, 'one more unit, one more register');
  t.equal(groupsOf(new Array(36).fill(1), 0, 7, 8)?.length, 2, '18 units each at N = 3');
  // −128 is in the register, 128 is not.
  t.equal(groupsOf([-8], 0, 16, 8)?.length, 1);
  t.equal(groupsOf([8], 0, 16, 8)?.length, 2);
});

t.test('signed inputs: every group is tested against both ends', async (t) => {
  const groups = groupsOf([15, 15, -15, -1], -8, 7, 8) ?? [];
  t.strictSame(
    groups.map(({ low, high, units }) => [low, high, [...units]]),
    [
      [-128, 112, [15, 1]],
      [-126, 114, [14, -2]],
      [-98, 112, [-13, -1]],
    ],
  );
  t.equal(groupsOf([1], -129, 0, 8), null, 'an input of −129 does not fit, whatever is grouped');
  t.equal(groupsOf([-1], -128, 0, 8), null, 'nor does 128');
  t.equal(groupsOf([1], -128, 127, 8)?.length, 1);
  t.equal(groupsOf([1], 0, 128, 8), null);
  t.equal(groupsOf([-1], 0, 128, 8)?.length, 1);
  t.equal(groupsOf([100000], 0, 0, 8)?.length, 1, 'inputs that are always 0');
  t.equal(groupsOf([0, 0], 0, 255, 8)?.length, 0, 'no weights');
});

t.test('groups add up to the weights, and no input leaves a register', async (t) => {
  const random = new Random(7);
  const whole = (low: number, high: number) => Math.round(random.uniform(low, high));
  for (let n = 0; n < 200; n++) {
    const low = n % 2 === 0 ? 0 : whole(-20, 0);
    const high = whole(0, 20);
    const bits = whole(6, 12);
    const row = Array.from({ length: whole(1, 60) }, () => whole(-9, 9));
    const groups = groupsOf(row, low, high, bits) ?? [];
    const left = [...row];
    for (const { indices, units } of groups) {
      let [least, most] = [0, 0];
      for (const [i, index] of indices.entries()) {
        left[index] -= units[i];
        most += Math.max(units[i] * high, units[i] * low);
        least += Math.min(units[i] * high, units[i] * low);
      }
      if (least < -(2 ** (bits - 1)) || most > 2 ** (bits - 1) - 1) t.fail(`${n}: ${least} … ${most} in ${bits} bits`);
    }
    if (left.some((rest) => rest !== 0)) t.fail(`${n}: ${left} are left over`);
    if (low === 0 && high > 0) {
      const sum = (sign: number) => row.reduce((total, q) => total + Math.max(0, sign * q), 0);
      const fewest = Math.max(
        Math.ceil(sum(1) / Math.floor((2 ** (bits - 1) - 1) / high)),
        Math.ceil(sum(-1) / Math.floor(2 ** (bits - 1) / high)),
      );
      if (groups.length !== fewest) t.fail(`${n}: ${groups.length} groups where ${fewest} do`);
    }
  }
  t.pass('200 channels');
});

t.test('of a network', async (t) => {
  const graph = randomGraph({ seed: 3, accumulatorBits: 12, zeros: 0 });
  const layers = registerGroups(graph, 8);
  t.strictSame(
    layers.map(({ node }) => node),
    ['conv1', 'conv2', 'depthwise', 'conv3', 'pointwise', 'conv4', 'resize', 'fc'],
  );
  t.equal(layers[0].channels, null, 'bytes do not fit eight bits');
  const counts = layers[1].channels?.map((groups) => groups.length) ?? [];
  t.ok(Math.max(...counts) <= 18 && Math.max(...counts) > 10);
  const { text, json } = registerReport(graph, 8);
  t.match(text, /conv1: none: one product with inputs 0 … 255 can be beyond 8 bits/);
  t.match(text, /conv2: at most \d+, [\d.]+ on average \(\d+ for 8 channels, inputs 0 … 15\)/);
  const read = JSON.parse(JSON.stringify(json)).layers[1];
  const weights = (graph.tensors.get('conv2.weight') as IntegerTensor).data.slice(0, 72);
  for (const { units } of read.channels[0]) for (const [index, unit] of units) weights[index] -= unit;
  t.ok(weights.every((rest) => rest === 0));
  t.throws(() => registerGroups(graph, 1), { name: 'ArgumentError' });
  t.throws(() => registerGroups({} as IntegerGraph, 8), { name: 'ArgumentError' });
});
