import t from 'tap';
import { checkGraph } from '../../../lib/deploy/graph/check.js';
import { decodeNetwork, encodeNetwork, NETWORK_KEY } from '../../../lib/deploy/graph/file.js';
import type { IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../../lib/tensor/safetensors.js';
import { alike, PLAIN, tinyConv, tinyGraph, tinyNodes, tinyTensors } from '../tinyGraph.js';

/** A network with something to spoil in every part. */
function sound(): IntegerGraph {
  const graph = tinyGraph(
    [
      tinyConv({ name: 'conv', padding: [1, 1], accumulatorBits: 12 }),
      tinyNodes().act,
      { op: 'maxPool', name: 'most', inputs: ['act'], ...PLAIN, kernel: [2, 2] },
      { op: 'sumPool', name: 'mean', inputs: ['most'], ...PLAIN, kernel: null },
      tinyNodes().half,
      { op: 'permute', name: 'turned', inputs: ['half'], axes: [0, 2, 3, 1] },
      { op: 'reshape', name: 'flat', inputs: ['turned'], shape: [-1] },
      tinyNodes().fc,
    ],
    { tensors: tinyTensors() },
  );
  const pixels = { mean: [0, 0.5], std: [1, 0.25] };
  return { ...graph, task: { kind: 'labels', classes: ['a', 'b', 'c', 'd', 'e'], pixels } };
}

// biome-ignore lint/suspicious/noExplicitAny: what it is made into is no graph
type Spoil = (graph: any) => void;

/** Gives a member of a node another value: `2.kernel`. */
const node =
  (path: string, value: unknown): Spoil =>
  ({ nodes }) => {
    const [at, member] = path.split('.');
    nodes[Number(at)][member] = value;
  };
const tensor =
  (name: string, shape: readonly number[], values: readonly number[], type = Int32Array): Spoil =>
  ({ tensors }) =>
    tensors.set(name, { shape, data: type.from(values) });
const member =
  (path: string, value: unknown): Spoil =>
  (graph) => {
    const names = path.split('.');
    const last = names.pop() as string;
    names.reduce((at, name) => at[name], graph)[last] = value;
  };

const REFUSALS: readonly (readonly [spoil: Spoil, message: RegExp])[] = [
  [member('name', 7), /net: it has no name/],
  [member('notes', ['a', 7]), /its notes are no list of sentences/],
  [member('input', null), /it has no input/],
  [member('input.name', ''), /its input has no name/],
  [member('input.shape', []), /the shape of its input is no list of extents/],
  [member('input.shape', [2, 0, 4]), /the shape of its input is no list of extents/],
  [member('input.shape', [2, 2 ** 15, 2 ** 15]), /x would have shape .* more than 2\^28 elements/],
  [member('input.low', 1), /the range of its input must hold 0 and fit int32; it is 1 … 15/],
  [member('input.high', 2 ** 31), /the range of its input must hold 0 and fit int32; it is 0 … 2147483648/],
  [member('input.high', '15'), /it is 0 … '15'/],
  [member('input.scale', 0), /the scale of its input is 0/],
  [member('input.scale', Number.POSITIVE_INFINITY), /the scale of its input is Infinity/],
  [member('input.scale', 1e-46), /the scale of its input is 1e-46/],
  [member('nodes', {}), /it has no nodes/],
  [member('nodes', []), /it has no nodes/],
  [member('tensors', {}), /it has no tensors/],
  [member('nodes.1', [1]), /a node is no object/],
  [node('1.name', 5), /a node has no name/],
  [node('1.name', 'n'.repeat(501)), /a node has no name/],
  [node('1.name', 'conv'), /two values are called 'conv'/],
  [node('1.name', 'x'), /two values are called 'x'/],
  [node('1.op', 'toString'), /act has an unknown operation, 'toString'/],
  [node('1.op', 'thresholds'), /act has an unknown operation, 'thresholds'/],
  [node('1.op', {}), /act has an unknown operation, an object/],
  [node('1.mode', 'linear'), /act has an unknown operation, 'requantize' by 'linear'/],
  [node('1.mode', undefined), /act has an unknown operation, 'requantize' by undefined/],
  [node('0.op', 'fixed'), /conv has an unknown operation, 'fixed'/],
  [node('2.inputs', ['flat']), /most reads 'flat', which is not made/],
  [node('2.inputs', ['most']), /most reads 'most', which is not made/],
  [node('2.inputs', []), /most \(maxPool\): inputs cannot be a list of 0/],
  [node('2.inputs', ['act', 'act']), /most \(maxPool\): inputs cannot be a list of 2/],
  [node('2.inputs', 'act'), /inputs cannot be 'act'/],
  [node('2.kernel', null), /kernel cannot be null/],
  [node('2.kernel', [2]), /kernel cannot be a list of 1/],
  [node('2.kernel', [2, 0.5]), /kernel cannot be a list of 2/],
  [node('2.stride', [0, 1]), /stride cannot be/],
  [node('2.padding', [-1, 1]), /padding cannot be/],
  [node('2.padding', [3, 3]), /a window of it would hold no pixel/],
  [node('2.dilation', [1, 2 ** 17]), /dilation cannot be/],
  [node('0.weights', 5), /conv \(conv\): weights cannot be 5/],
  [node('0.weights', 'none'), /conv names the tensor 'none', which is not there/],
  [node('0.weightBits', 2), /conv: a weight is no integer of 2 bits/],
  [node('0.weightBits', 33), /weightBits cannot be 33/],
  [node('0.accumulatorBits', 1), /accumulatorBits cannot be 1/],
  [node('0.accumulatorBits', 33), /accumulatorBits cannot be 33/],
  [node('0.accumulatorBits', '12'), /accumulatorBits cannot be '12'/],
  [node('0.accumulatorBits', Number.NaN), /accumulatorBits cannot be NaN/],
  [node('0.groups', 0), /groups cannot be 0/],
  [node('0.groups', 3), /2 channels do not make 3 groups/],
  [node('0.groups', 2), /its weights .* want other channels/],
  [node('0.resize', 65), /resize cannot be 65/],
  [node('1.low', -1.5), /low cannot be -1.5/],
  [node('1.low', 4), /the range of act must hold 0 and fit int32; it is 4 … 3/],
  [node('1.low', 1), /the range of act must hold 0/],
  [node('1.high', 2), /act: results of row 0 leave 0 … 2/],
  [node('1.scale', 'NaN'), /scale cannot be 'NaN'/],
  [node('4.error', Number.POSITIVE_INFINITY), /error cannot be Infinity/],
  [node('4.lift', 53), /lift cannot be 53/],
  [node('5.axes', [0, 1, 2]), /turned \(permute\): has 3 axes/],
  [node('5.axes', [1, 0, 2, 3]), /axes must be an order of all, the batch first/],
  [node('5.axes', [0, 1, 1, 3]), /axes must be an order of all/],
  [node('5.axes', [0, 1, 2, 4]), /axes must be an order of all/],
  [node('6.shape', [-1, -1]), /only one extent can be −1/],
  [node('6.shape', [3]), /cannot become \[3\]/],
  [node('6.shape', [0]), /shape cannot be/],
  [tensor('more', [1], [1]), /no node uses the tensor 'more'/],
  [member('tensors', new Map([['w', null]])), /conv names the tensor 'w', which is not there/],
  [tensor('w', [2, 2, 3], alike([12])[1]), /'w' holds no integers of 4 axes; its shape is \[2, 2, 3\]/],
  [tensor('w', [2, 2, 3, 3], [1, 2]), /'w' holds no integers of 4 axes/],
  [tensor('w', [2, 0, 3, 3], []), /it has no weights/],
  [tensor('w', [0, 2, 3, 3], []), /'w' holds no integers of 4 axes/],
  [tensor('w', [-2, -2, 3, 3], alike([36])[1]), /'w' holds no integers of 4 axes/],
  [({ tensors }) => tensors.set('w', { shape: [1, 1, 1, 1], data: [1] }), /'w' holds no integers of 4 axes/],
  [({ tensors }) => tensors.set('w', { shape: [1, 1, 1, 1], data: Float32Array.of(1) }), /'w' holds no integers/],
  [tensor('sign', [2], [1, 0]), /act: a sign is neither 1 nor −1/],
  [tensor('sign', [1], [1]), /act: its rows differ in number/],
  [tensor('base', [2], [1, 3]), /act: results of row 0 leave 0 … 3/],
  [tensor('base', [2], [0, 2]), /act: results of row 1 leave 0 … 3/],
  [tensor('steps', [2, 3], [-90, -50, 1, -7, -8, -7]), /act: the thresholds of row 1 fall/],
  [tensor('s', [2], [4, 53]), /half: a shift is not 0 … 52/],
  [tensor('s', [2], [4, -1]), /half: a shift is not 0 … 52/],
  [tensor('o', [1], [4]), /half: its rows differ in number/],
  [node('4.lift', 52), /net: half: its products can leave the 53 bits in which they are exact/],
  [node('7.weightBits', 7), /fc: a weight is no integer of 7 bits/],
  [tensor('fc', [5, 3], alike([15])[1]), /fc \(linear\): wants \[N, 3\]/],
  [member('output', 'fc'), /its output is no value of it/],
  [member('output.value', 'gone'), /its output is no value of it/],
  [member('output.decode', null), /its output cannot be decoded/],
  [member('output.decode', [{ op: 'power', values: [1] }]), /a step is not known/],
  [member('output.decode', [null]), /a step is not known/],
  [member('output.decode', [{ op: 'add', values: [1e39] }]), /a step is not known/],
  [member('output.decode', [{ op: 'add', values: [1, 2] }]), /a step of the output has neither 1 nor 5 numbers/],
  [member('task', 'labels'), /its task is not known/],
  [member('task.kind', 'words'), /its task is not known/],
  [member('task.pixels', null), /its pixels need 2 means and positive deviations/],
  [member('task.pixels.mean', [1]), /its pixels need 2 means/],
  [member('task.pixels.std', [1, -1]), /its pixels need 2 means and positive deviations/],
  [member('task.classes', []), /its classes are no list of names/],
  [member('task.classes', [1, 2, 3, 4, 5]), /its classes are no list of names/],
  [
    member('task', { kind: 'images', factor: 0, pixels: { mean: [0, 0], std: [1, 1] } }),
    /its factor is no small count/,
  ],
];

t.test('each thing that makes a graph none is told', async (t) => {
  t.doesNotThrow(() => checkGraph(sound(), 'net'));
  for (const [spoil, message] of REFUSALS) {
    const graph = structuredClone(sound());
    spoil(graph);
    t.throws(() => checkGraph(graph, 'net'), message);
    t.throws(() => checkGraph(graph, 'net'), DataError);
  }
  t.throws(() => checkGraph(null as never, 'net'), /the network must be an object; got null/);
});

t.test('values that know how to spoil a message are told', async (t) => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  const odd = { toString: 1, constructor: { name: deep } };
  for (const value of [deep, odd, [odd], { ['__proto__']: deep }, Symbol('s'), () => 1, 2n ** 70n]) {
    for (const spoil of [node('2.kernel', value), node('1.op', value), member('input.low', value)]) {
      const graph = sound();
      t.throws(() => {
        spoil(graph);
        checkGraph(graph, 'net');
      }, DataError);
    }
  }
});

t.test('a file that holds no network says why', async (t) => {
  const { tensors, metadata } = decodeSafetensors(encodeNetwork(sound()), 'net');
  const saying = (text: string) => encodeSafetensors({ tensors, metadata: { [NETWORK_KEY]: text } });
  const refused = (bytes: Uint8Array, message: RegExp) => t.throws(() => decodeNetwork(bytes, 'net'), message);
  refused(encodeSafetensors({ tensors, metadata: {} }), /net: holds no integer network \(no a2q\.network/);
  refused(saying('{'), /net: its a2q\.network is not JSON/);
  refused(saying('7'), /net: its a2q\.network is no object/);
  refused(saying('null'), /net: its a2q\.network is no object/);
  refused(saying('[]'), /net: is of version undefined; this program reads 1/);
  refused(saying('{"version":2}'), /net: is of version 2; this program reads 1/);
  refused(saying('{"version":{"toString":1}}'), /net: is of version an object; this program reads 1/);
  refused(saying('{"version":1}'), /net: it has no name/);
  const floats = new Map(tensors).set('w', { shape: [1], data: Float32Array.of(0.5) });
  refused(encodeSafetensors({ tensors: floats, metadata }), /net: the tensor w does not hold integers/);
  refused(encodeNetwork(sound()).subarray(0, 900), /net: /);
  refused(new Uint8Array(5), /net: only 5 bytes/);
});
