import { createHash } from 'node:crypto';
import t from 'tap';
import {
  certifyNetwork,
  formatNetworkCertificate,
  type NetworkCertificate,
} from '../../lib/deploy/graph/certificate.js';
import { encodeNetwork, NETWORK_KEY } from '../../lib/deploy/graph/file.js';
import { type IntegerGraph, isProduct } from '../../lib/deploy/graph/graph.js';
import { verifyNetwork } from '../../lib/deploy/verify/verifyNetwork.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import { flipBits } from './flips.js';
import { randomGraph } from './randomGraph.js';
import { PLAIN, tinyConv, tinyGraph, tinyNodes, tinyTensors } from './tinyGraph.js';

const encode = (text: string) => new TextEncoder().encode(text);

interface Certified {
  readonly graph: IntegerGraph;
  readonly file: Uint8Array;
  readonly certificate: NetworkCertificate;
  readonly text: string;
}

async function certified(graph: IntegerGraph): Promise<Certified> {
  const file = encodeNetwork(graph);
  const certificate = await certifyNetwork(file);
  return { graph, file, certificate, text: formatNetworkCertificate(certificate) };
}

const SMALL = await certified(randomGraph({ seed: 3, width: 2, size: 4, accumulatorBits: 9 }));

t.test('what the auditor finds, the verifier finds by other means', async (t) => {
  const options = [
    { seed: 1 },
    { seed: 2, accumulatorBits: 12 },
    { seed: 3, weightBits: 8, actBits: 8, accumulatorBits: 16 },
    { seed: 4, width: 4, size: 5, weightBits: 2, actBits: 1, accumulatorBits: 6, zeros: 0.9 },
    { seed: 5, width: 2, size: 7, zeros: 1 },
  ];
  for (const each of options) {
    const { file, certificate, text } = await certified(randomGraph(each));
    t.same(await verifyNetwork(file, encode(text)), []);
    t.equal(certificate.network.sha256, createHash('sha256').update(file).digest('hex'));
    t.equal(certificate.proved, 'accumulatorBits' in each);
    t.equal(formatNetworkCertificate(await certifyNetwork(file)), text, 'the same bytes each time');
  }
  const one = { op: 'add', name: 'alone', inputs: ['x'] } as const;
  const none = await certified(tinyGraph([one], { input: { low: -(2 ** 31), high: 2 ** 31 - 1 } }));
  t.same(await verifyNetwork(none.file, encode(none.text)), [], 'no layers at all');
  const flat = tinyGraph(
    [
      { op: 'linear', name: 'a', inputs: ['x'], weights: 'w', weightBits: 32, accumulatorBits: 32 },
      { op: 'linear', name: 'b', inputs: ['x'], weights: 'w', weightBits: 9, accumulatorBits: null },
    ],
    {
      input: { shape: [3], low: -128, high: 127, name: '\u{1F600}"\\\n\ud800' },
      tensors: {
        w: [
          [2, 3],
          [1, -256, 255, 0, 9, 1],
        ],
      },
    },
  );
  const nodes = flat.nodes.map((node) => ({ ...node, inputs: [flat.input.name] }));
  const odd = await certified({ ...flat, nodes, name: '\uFFFD __proto__' });
  t.same(await verifyNetwork(odd.file, encode(odd.text)), [], 'shared weights, odd names');
});

t.test('a claim of one bit too few is refused, layer by layer', async (t) => {
  const { graph, certificate } = SMALL;
  const safe = new Map(certificate.layers.map(({ layer, safeBits }) => [layer, Math.max(2, safeBits)]));
  const claim = (less: string | null) => {
    const nodes = graph.nodes.map((node) =>
      isProduct(node) ? { ...node, accumulatorBits: (safe.get(node.name) ?? 0) - Number(node.name === less) } : node,
    );
    return certified({ ...graph, nodes });
  };
  const exact = await claim(null);
  t.same(await verifyNetwork(exact.file, encode(exact.text)), []);
  for (const [layer, bits] of safe) {
    if (bits < 3) continue;
    const { file, text, certificate: honest } = await claim(layer);
    t.equal(honest.proved, false);
    t.same(await verifyNetwork(file, encode(text)), [`${layer} claims ${bits - 1} bits; its sums need ${bits}`]);
    const layers = honest.layers.map((each) => (each.layer === layer ? { ...each, proved: true } : each));
    const lie = formatNetworkCertificate({ ...honest, layers, proved: true });
    t.match((await verifyNetwork(file, encode(lie))).join('; '), /proved is true; the files give false/);
    const wider = exact.certificate.network;
    const borrowed = formatNetworkCertificate({
      ...exact.certificate,
      network: { ...wider, sha256: honest.network.sha256 },
    });
    t.match((await verifyNetwork(file, encode(borrowed)))[0], /accumulatorBits is|safeBits is|proved is|name is/);
  }
});

t.test('whatever a certificate says otherwise is named', async (t) => {
  const { file, certificate, text } = SMALL;
  const changed = async (change: (certificate: Record<string, never>) => void) => {
    const copy = JSON.parse(text);
    change(copy);
    return verifyNetwork(file, encode(`${JSON.stringify(copy, null, 2)}\n`));
  };
  const leaves = function* (value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
    if (typeof value !== 'object' || value === null) yield path;
    else for (const [key, each] of Object.entries(value)) yield* leaves(each, [...path, key]);
  };
  const OTHERS: Readonly<Record<string, (value: never) => unknown>> = {
    number: (value: number) => value - 1,
    string: (value: string) => `${value}.`,
    boolean: (value: boolean) => !value,
    object: () => 0,
  };
  let accepted = 0;
  let count = 0;
  for (const path of leaves(certificate)) {
    const differences = await changed((copy) => {
      const last = path[path.length - 1];
      const holder = path.slice(0, -1).reduce((at, key) => at[key], copy) as Record<string, unknown>;
      holder[last] = OTHERS[typeof holder[last]](holder[last] as never);
    });
    count += 1;
    if (differences.length === 0) accepted += 1;
  }
  t.equal(accepted, 0);
  t.ok(count > 500, `${count} values`);
  const remove = await changed((copy) => Reflect.deleteProperty(copy, 'statement'));
  t.match(remove, [/^statement is absent/]);
  t.match(await changed((copy) => Object.assign(copy, { more: 1 })), [/^more is 1; the files give absent/]);
  t.match(await changed((copy) => Object.assign(copy, { layers: [] })), [/^layers is a list of 0/]);
  const swapped = await changed((copy) => (copy as unknown as { layers: unknown[] }).layers.reverse());
  t.match(swapped[0], /^layers\[0\]\.layer is/);
});

t.test('it has one spelling', async (t) => {
  const { file, text } = SMALL;
  const respelt: Readonly<Record<string, string>> = {
    'no newline at the end': text.trimEnd(),
    'more at the end': `${text}\n`,
    'a space': text.replace('": ', '":  '),
    'one line': JSON.stringify(JSON.parse(text)),
    'a number with an exponent': text.replace(/"version": 1,/, '"version": 1e0,'),
    'a number with a fraction': text.replace(/"version": 1,/, '"version": 1.0,'),
    'an escape': text.replace('"format"', '"\\u0066ormat"'),
    'a key twice': text.replace('"version": 1,', '"version": 1,\n  "version": 1,'),
    'a lie before the truth': text.replace('"proved": true', '"proved": false,\n  "proved": true'),
    'another order': text.replace(/ {2}("format": [^\n]*)\n {2}("version": [^\n]*)\n/, '  $2\n  $1\n'),
    'a mark of byte order': `\ufeff${text}`,
    'lines of another system': text.replaceAll('\n', '\r\n'),
  };
  for (const [about, spelling] of Object.entries(respelt)) {
    t.not(spelling, text);
    t.not((await verifyNetwork(file, encode(spelling))).length, 0, about);
  }
  t.match(await verifyNetwork(file, encode('{')), [/the certificate is not JSON/]);
  t.match(await verifyNetwork(file, encode('[]')), [/the certificate is not an object/]);
  t.match(await verifyNetwork(file, encode('{"format":"a2q-network-certificate","version":2}')), [/is not of format/]);
  t.match(await verifyNetwork('file' as never, encode(text)), [/both files are bytes/]);
});

t.test('one bit of either file, anywhere, is enough', async (t) => {
  const { certificates, networks, accepted } = await flipBits(2000, 1000, 7);
  t.strictSame([certificates, networks, accepted], [2000, 1000, 0]);
});

/** A network file whose description says something else, and what is certified of it. */
function described(graph: IntegerGraph, change: (description: Record<string, never>) => void): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(encodeNetwork(graph), 'net');
  const description = JSON.parse(metadata[NETWORK_KEY]);
  change(description);
  const smallest = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, smallest: true }] as const));
  return encodeSafetensors({ tensors: smallest, metadata: { [NETWORK_KEY]: JSON.stringify(description) } });
}

t.test('a network that breaks its own word proves nothing, whatever its certificate says', async (t) => {
  const graph = tinyGraph(
    [
      tinyConv({ name: 'conv', padding: [1, 1], accumulatorBits: 12 }),
      tinyNodes().act,
      { op: 'maxPool', name: 'most', inputs: ['act'], ...PLAIN, kernel: [2, 2] },
      { op: 'sumPool', name: 'mean', inputs: ['most'], ...PLAIN, kernel: null },
      tinyNodes().half,
      { op: 'reshape', name: 'flat', inputs: ['half'], shape: [-1] },
      tinyNodes().fc,
    ],
    { tensors: tinyTensors() },
  );
  const { text, file } = await certified(graph);
  t.same(await verifyNetwork(file, encode(text)), []);
  type Change = (graph: { nodes: Record<string, unknown>[]; input: Record<string, unknown>; version: number }) => void;
  const node =
    (at: number, change: object): Change =>
    ({ nodes }) =>
      Object.assign(nodes[at], change);
  const broken: readonly (readonly [Change, RegExp])[] = [
    [node(0, { weightBits: 2 }), /conv: a weight is no integer of 2 bits/],
    [node(0, { accumulatorBits: 33 }), /conv: its accumulatorBits is no integer of 2 … 32/],
    [node(0, { groups: 2 }), /conv: its inputs do not fit it/],
    [node(0, { weights: 'gone' }), /the integers of gone are missing/],
    [node(0, { weights: 'fc' }), /the shape of fc has not 4 axes/],
    [node(0, { op: 'deconv' }), /conv: its operation is not known/],
    [node(0, { stride: [0, 1] }), /conv: its stride is no list of integers/],
    [node(0, { stride: [1] }), /conv: its inputs do not fit it/],
    [node(1, { high: 2 }), /act: results of row 0 leave its range/],
    [node(1, { low: 1 }), /act: its low is no integer of -2147483648 … 0/],
    [node(1, { sign: 'base' }), /act: results of row 0 leave its range/],
    [node(1, { base: 'fc' }), /the shape of fc has not 1 axes/],
    [node(2, { padding: [2, 2] }), /most: its inputs do not fit it/],
    [node(2, { inputs: ['flat'] }), /most reads a value that is not made before/],
    [node(2, { inputs: [] }), /most: it reads nothing/],
    [node(2, { name: 'act' }), /two values are called act/],
    [node(3, { kernel: 'all' }), /mean: its kernel is no list of integers/],
    [node(3, { kernel: [9, 9] }), /mean: its inputs do not fit it/],
    [node(4, { lift: 52 }), /half: its products need more than 53 bits/],
    [node(4, { lift: 53 }), /half: its lift is no integer of 0 … 52/],
    [node(4, { shift: 'o' }), /half: a shift is not 0 … 52/],
    [node(5, { shape: [3] }), /flat: its inputs do not fit it/],
    [({ input }) => Object.assign(input, { high: 2 ** 31 }), /x: its high is no integer of 0 … 2147483647/],
    [({ input }) => Object.assign(input, { high: 2 ** 30 }), /conv can leave int32/],
    [({ input }) => Object.assign(input, { shape: [0, 4, 6] }), /x: its shape is no list of integers/],
    [(all) => Object.assign(all, { version: 2 }), /the network is not of version 1/],
    [(all) => Object.assign(all, { nodes: 5 }), /has no name, input or nodes/],
  ];
  for (const [change, message] of broken) {
    t.match((await verifyNetwork(described(graph, change as never), encode(text)))[0], message);
  }
  const { tensors, metadata } = decodeSafetensors(file, 'net');
  const spelt = { [NETWORK_KEY]: metadata[NETWORK_KEY].replace('"version":1', '"version":1,"version":1') };
  t.match(await verifyNetwork(encodeSafetensors({ tensors, metadata: spelt }), encode(text)), [
    /plain JSON, or ambiguous/,
  ]);
  const deep = { [NETWORK_KEY]: metadata[NETWORK_KEY].replace('[]', `${'['.repeat(1e5)}${']'.repeat(1e5)}`) };
  t.match(await verifyNetwork(encodeSafetensors({ tensors, metadata: deep }), encode(text)), [
    /plain JSON, or ambiguous/,
  ]);
  t.match(await verifyNetwork(encodeSafetensors({ tensors, metadata: {} }), encode(text)), [/no network of integers/]);
  t.match(await verifyNetwork(new Uint8Array(3), encode(text)), [/the network is no safetensors file/]);
});
