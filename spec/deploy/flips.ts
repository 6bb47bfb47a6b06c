import { certifyNetwork, formatNetworkCertificate } from '../../lib/deploy/graph/certificate.js';
import { encodeNetwork } from '../../lib/deploy/graph/file.js';
import type { IntegerGraph } from '../../lib/deploy/graph/graph.js';
import { verifyNetwork } from '../../lib/deploy/verify/verifyNetwork.js';
import { Random } from '../../lib/tensor/random.js';
import { randomGraph } from './randomGraph.js';
import { alike, PLAIN, tinyConv, tinyGraph, tinyNodes, tinyTensors } from './tinyGraph.js';

/** How damaged pairs of a network and its certificate were taken. */
export interface Flips {
  readonly certificates: number;
  readonly networks: number;
  /** Taken for sound: there must be none. */
  readonly accepted: number;
}

/** Two layers with a claim each, a residual add, a pool and both kinds of requantization. */
function residual(): IntegerGraph {
  return tinyGraph(
    [
      tinyConv({ name: 'conv', padding: [1, 1], accumulatorBits: 11 }),
      tinyNodes().act,
      { op: 'add', name: 'sum', inputs: ['act', 'x'] },
      { op: 'sumPool', name: 'mean', inputs: ['sum'], ...PLAIN, kernel: null },
      tinyNodes().half,
      { op: 'reshape', name: 'flat', inputs: ['half'], shape: [-1] },
      { ...tinyNodes().fc, accumulatorBits: 12 },
    ],
    { tensors: tinyTensors() },
  );
}

/** Changes one bit of each certificate, anywhere, then one of each network file, and asks the verifier. */
export async function flipBits(certificates: number, networks: number, seed: number): Promise<Flips> {
  const graphs = [
    tinyGraph([tinyConv({ accumulatorBits: 8 })], { tensors: { w: alike([3, 2, 1, 1], -2) } }),
    residual(),
    randomGraph({ seed: 3, width: 2, size: 4, accumulatorBits: 9 }),
  ];
  const pairs: { readonly file: Uint8Array; readonly certificate: Uint8Array }[] = [];
  for (const graph of graphs) {
    const file = encodeNetwork(graph);
    const certificate = new TextEncoder().encode(formatNetworkCertificate(await certifyNetwork(file)));
    const [difference] = await verifyNetwork(file, certificate);
    if (difference !== undefined) throw new Error(`the sound certificate is refused: ${difference}`);
    pairs.push({ file, certificate });
  }
  const random = new Random(seed);
  const flipped = (bytes: Uint8Array) => {
    const damaged = bytes.slice();
    damaged[random.integer(damaged.length)] ^= 1 << random.integer(8);
    return damaged;
  };
  let accepted = 0;
  for (let i = 0; i < certificates + networks; i++) {
    // The last takes ten times as long as the others: every tenth is of it.
    const { file, certificate } = pairs[i % 10 === 9 ? 2 : i % 2];
    const differences =
      i < certificates
        ? await verifyNetwork(file, flipped(certificate))
        : await verifyNetwork(flipped(file), certificate);
    if (differences.length === 0) accepted += 1;
  }
  return { certificates, networks, accepted };
}
