import { auditGraph } from '../../lib/deploy/graph/audit.js';
import { certifyNetwork, formatNetworkCertificate } from '../../lib/deploy/graph/certificate.js';
import { decodeNetwork, encodeNetwork, NETWORK_KEY } from '../../lib/deploy/graph/file.js';
import type { GraphNode, IntegerGraph, IntegerTensor } from '../../lib/deploy/graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../../lib/deploy/graph/ranges.js';
import { inferShapes } from '../../lib/deploy/graph/shapes.js';
import { runReference } from '../../lib/deploy/runtime/reference.js';
import { verifyNetwork } from '../../lib/deploy/verify/verifyNetwork.js';
import { DataError } from '../../lib/tensor/errors.js';
import type { Random } from '../../lib/tensor/random.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import { randomGraph, randomInput } from '../deploy/randomGraph.js';
import { mutateBytes, mutateJson } from './mutate.js';
import { mutateHeader } from './mutateSafetensors.js';
import { joinPair, splitPair } from './pair.js';
import type { Target } from './target.js';

/** Terms that a network may sum and still be run here. */
const MOST_TERMS = 1e6;

function seeds(): Uint8Array[] {
  return [
    encodeNetwork(randomGraph({ seed: 1, width: 2, size: 4, accumulatorBits: 9 })),
    encodeNetwork({
      ...randomGraph({ seed: 2, width: 4, size: 5 }),
      task: { kind: 'images', factor: 2, pixels: { mean: [0, 0, 0], std: [1, 1, 1] } },
    }),
  ];
}

/** Integers as they were stored, and a description in which something else stands or lies deep. */
function mutateDescription(seed: Uint8Array, random: Random): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(seed, 'seed');
  const smallest = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, smallest: true }] as const));
  const depth = 10 ** (1 + random.integer(4));
  const text = mutateJson([metadata[NETWORK_KEY]], random);
  const deep = text.replace(/\[\d+(,\d+)*\]/, `${'['.repeat(depth)}${']'.repeat(depth)}`);
  return encodeSafetensors({
    tensors: smallest,
    metadata: { [NETWORK_KEY]: random.integer(20) === 0 ? deep : text },
  });
}

function damaged(sound: readonly Uint8Array[], random: Random): Uint8Array {
  const seed = sound[random.integer(sound.length)];
  const kind = random.integer(4);
  if (kind === 0) return mutateBytes(sound, random);
  return kind === 1 ? mutateHeader(seed, random) : mutateDescription(seed, random);
}

/** Terms of one output. */
function termsOf(node: GraphNode, graph: IntegerGraph, plane: readonly number[]): number {
  if (node.op === 'maxPool' || node.op === 'sumPool') return product(node.kernel ?? plane);
  if (node.op !== 'conv' && node.op !== 'linear') return 1;
  return product((graph.tensors.get(node.weights) as IntegerTensor).shape.slice(1));
}

const product = (extents: readonly number[]) => extents.reduce((size, extent) => size * extent, 1);

/** Runs what passed for sound, unless it would take long: every value must stay in its range. */
function run(graph: IntegerGraph): void {
  const shapes = inferShapes(graph);
  const ranges = inferRanges(graph);
  const terms = graph.nodes.reduce((sum, node) => {
    const input = shapes.get(node.inputs[0]) as readonly number[];
    const repeats = node.op === 'conv' ? node.resize ** 2 * product(input) : 0;
    return sum + repeats + product(shapes.get(node.name) as readonly number[]) * termsOf(node, graph, input.slice(2));
  }, product(graph.input.shape));
  if (terms > MOST_TERMS) return;
  runReference(graph, randomInput(graph, 1, 1), {
    see: ({ name }, { data }) => {
      const { low, high } = extremesOf(ranges.get(name) as ChannelRange);
      if (data.some((value) => value < low || value > high)) throw new Error(`${name} leaves ${low} … ${high}`);
    },
  });
}

export const networkTargets = {
  network: {
    how: 'bytes; header, description; what passes is audited and run',
    count: 10000,
    async prepare() {
      const sound = seeds();
      return (random) => damaged(sound, random);
    },
    async read(bytes) {
      let graph: IntegerGraph;
      try {
        graph = decodeNetwork(bytes, 'file');
      } catch (error) {
        if (error instanceof DataError) throw error;
        throw new Error('refused by another name', { cause: error });
      }
      await auditGraph(graph);
      run(graph);
    },
  },
  networkCertificate: {
    how: 'values and names of JSON; bytes; half in the network',
    count: 10000,
    async prepare() {
      const sound = seeds();
      const texts = await Promise.all(sound.map(async (file) => formatNetworkCertificate(await certifyNetwork(file))));
      return (random) => {
        const at = random.integer(sound.length);
        const inText = random.integer(2) === 0;
        const text = inText ? mutateJson([texts[at]], random) : texts[at];
        return joinPair(new TextEncoder().encode(text), inText ? sound[at] : damaged([sound[at]], random));
      };
    },
    async read(bytes) {
      const [text, network] = splitPair(bytes);
      const [difference] = await verifyNetwork(network, text);
      if (difference !== undefined) throw new DataError('verify', difference);
    },
  },
} as const satisfies Record<string, Target>;
