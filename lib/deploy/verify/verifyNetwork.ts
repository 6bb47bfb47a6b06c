import { parse, Refused } from './checkpoint.js';
import { compare } from './compare.js';
import { integersOf, readBy, readNetwork, textOf } from './network.js';
import { networkShape, sizeOf } from './networkShape.js';
import { bitsOf, gridOf, joined, outcomeOf, type Span } from './networkSums.js';
import { sha256 } from './sha256.js';

/** What every certificate of a network states. */
export const NETWORK_STATEMENT =
  'With the integers of the file of this hash and any input of this shape and range, every partial sum of a channel, ' +
  'in every order, lies within its channelMin … channelMax, which accumulatorBits hold where proved is true. Biases ' +
  'are in the thresholds or offsets behind the accumulator; registers states what every other register holds.';

export const NETWORK_FORMAT = 'a2q-network-certificate';
export const NETWORK_FORMAT_VERSION = 1;

/** Differences told; more are counted. */
const MOST_TOLD = 20;

/**
 * Holds a certificate to the network file it is about. A network decides every byte of its certificate: all is computed
 * anew, in integers without limits, and compared; then every P that the network claims must hold.
 * @param network, certificate the bytes of the files
 * @returns every difference, by its path in the certificate, and every claim that fails; none if it is verified
 */
export async function verifyNetwork(network: Uint8Array, certificate: Uint8Array): Promise<string[]> {
  try {
    if (!(network instanceof Uint8Array && certificate instanceof Uint8Array))
      throw new Refused('both files are bytes');
    const given = parse(new TextDecoder().decode(certificate), 'the certificate');
    if (given['format'] !== NETWORK_FORMAT || given['version'] !== NETWORK_FORMAT_VERSION) {
      throw new Refused(`the certificate is not of format ${NETWORK_FORMAT}, version ${NETWORK_FORMAT_VERSION}`);
    }
    const expected = await certified(network);
    const found: string[] = [];
    compare('', given, expected, found);
    const text = new TextEncoder().encode(`${JSON.stringify(expected, null, 2)}\n`);
    const written = text.length === certificate.length && text.every((byte, i) => byte === certificate[i]);
    if (found.length === 0 && !written) found.push('it is not written as a certificate is');
    for (const { layer, accumulatorBits, safeBits, proved } of expected.layers) {
      if (proved === false) found.push(`${layer} claims ${accumulatorBits} bits; its sums need ${safeBits}`);
    }
    const more = found.length - MOST_TOLD;
    return more > 0 ? [...found.slice(0, MOST_TOLD), `and ${more} more`] : found;
  } catch (error) {
    if (error instanceof Refused) return [error.message];
    throw error;
  }
}

/** What a value can be: the shape of one image's, and the span of each channel, or of all. */
interface Value {
  readonly shape: readonly number[];
  readonly spans: readonly Span[];
}

/** What a certificate of this network has to say. */
async function certified(bytes: Uint8Array) {
  const facts = readNetwork(bytes);
  const { name, input, nodes } = facts;
  const shape = integersOf(input, 'shape', 1, 2 ** 31 - 1);
  const values = new Map<string, Value>([[textOf(input, 'name'), { shape, spans: [gridOf(input)] }]]);
  const layers = [];
  const registers = [];
  for (const node of nodes) {
    const own = textOf(node, 'name');
    const inputs = readBy(node).flatMap((from) => values.get(from) ?? []);
    if (inputs.length !== readBy(node).length) throw new Refused(`${own} reads a value that is not made before`);
    if (values.has(own)) throw new Refused(`two values are called ${own}`);
    const plane = inputs[0].shape.slice(1);
    const kernel =
      node['op'] === 'sumPool' && node['kernel'] !== null ? integersOf(node, 'kernel', 1, 2 ** 31 - 1) : plane;
    const { spans, holds, register, layer } = await outcomeOf(
      node,
      inputs.map((each) => each.spans),
      sizeOf(kernel),
      facts,
    );
    if (bitsOf(joined(spans)) > 32) throw new Refused(`${own} can leave int32`);
    values.set(own, {
      shape: networkShape(
        node,
        inputs.map((each) => each.shape),
        facts,
      ),
      spans,
    });
    if (layer !== undefined) layers.push(layer);
    const [min, max] = register ?? joined(spans);
    const bits = bitsOf([min, max]);
    if (holds !== undefined) registers.push({ node: own, holds, min: Number(min), max: Number(max), bits });
  }
  const claims = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  return {
    format: NETWORK_FORMAT,
    version: NETWORK_FORMAT_VERSION,
    statement: NETWORK_STATEMENT,
    network: { name, sha256: await sha256(bytes) },
    input: { name: input['name'], shape, low: input['low'], high: input['high'] },
    proved: claims.length > 0 && claims.every(({ proved }) => proved),
    safeBits: claims.length > 0 ? claims.reduce((most, { safeBits }) => Math.max(most, safeBits), 1) : null,
    layers,
    registers,
  };
}
