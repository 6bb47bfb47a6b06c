import { type Json, Refused } from './checkpoint.js';
import { integerOf, type NetworkFacts, textOf } from './network.js';
import { sha256 } from './sha256.js';

/** Least and largest integer. */
export type Span = readonly [low: bigint, high: bigint];

/** What a node makes of what its inputs can be: spans of its value, one if all are alike, and what was certified. */
export interface Outcome {
  readonly spans: readonly Span[];
  readonly holds?: string;
  /** Of the register; the value's own unless it is another. */
  readonly register?: Span;
  readonly layer?: Awaited<ReturnType<typeof certifiedLayer>>['claims'];
}

/** Over all channels. */
export function joined(spans: readonly Span[]): Span {
  return spans.reduce(([low, high], [c, d]) => [c < low ? c : low, d > high ? d : high], spans[0]);
}

/** The narrowest two's complement register. */
export function bitsOf([low, high]: Span): number {
  let bits = 1;
  while (high >= 1n << BigInt(bits - 1) || low < -(1n << BigInt(bits - 1))) bits += 1;
  return bits;
}

/** The grid of an input or of a requantization; one without 0 would not bound sums on their way. @throws Refused */
export function gridOf(node: Json): Span {
  return [BigInt(integerOf(node, 'low', -(2 ** 31), 0)), BigInt(integerOf(node, 'high', 0, 2 ** 31 - 1))];
}

/** @param inputs spans of each @param terms of a pool @throws Refused where a node's own claims do not hold */
export async function outcomeOf(
  node: Json,
  inputs: readonly (readonly Span[])[],
  terms: number,
  facts: NetworkFacts,
): Promise<Outcome> {
  const spans = inputs.map(joined);
  switch (node['op']) {
    case 'conv':
    case 'linear': {
      const { sums, claims } = await certifiedLayer(node, spans[0], facts);
      return { spans: sums, holds: 'products', layer: claims };
    }
    case 'add':
      return { spans: [spans.reduce(([low, high], [c, d]) => [low + c, high + d])], holds: 'values' };
    case 'sumPool':
      return { spans: [[spans[0][0] * BigInt(terms), spans[0][1] * BigInt(terms)]], holds: 'values' };
    case 'requantize':
      if (node['mode'] === 'fixed') return fixedPoint(node, inputs[0], facts);
      return thresholds(node, spans[0], facts);
    case 'maxPool':
    case 'upsample':
      return { spans: inputs[0] };
    default:
      return { spans: [joined(spans)] };
  }
}

function thresholds(node: Json, [low, high]: Span, { tensor }: NetworkFacts): Outcome {
  const { shape, q } = tensor(textOf(node, 'thresholds'), 2);
  const [sign, base] = [tensor(textOf(node, 'sign'), 1).q, tensor(textOf(node, 'base'), 1).q];
  const [rows, count] = shape;
  const grid = gridOf(node);
  if (sign.length !== rows || base.length !== rows) throw new Refused(`${textOf(node, 'name')}: its rows differ`);
  for (let i = 0; i < rows; i++) {
    const ends = [BigInt(base[i]), BigInt(base[i]) + BigInt(sign[i]) * BigInt(count)];
    if (Math.abs(sign[i]) !== 1 || ends.some((end) => end < grid[0] || end > grid[1])) {
      throw new Refused(`${textOf(node, 'name')}: results of row ${i} leave its range`);
    }
  }
  const [least, most] = [q.reduce((a, b) => Math.min(a, b), 0), q.reduce((a, b) => Math.max(a, b), 0)];
  const compared: Span = [BigInt(least), BigInt(most)];
  return { spans: [grid], holds: 'comparison', register: joined([[low, high], compared]) };
}

function fixedPoint(node: Json, inputs: readonly Span[], { tensor }: NetworkFacts): Outcome {
  const [multiplier, offset, shift] = ['multiplier', 'offset', 'shift'].map((member) => {
    return tensor(textOf(node, member), 1).q;
  });
  const rows = offset.length;
  if (multiplier.length !== rows || shift.length !== rows)
    throw new Refused(`${textOf(node, 'name')}: its rows differ`);
  const lift = BigInt(integerOf(node, 'lift', 0, 52));
  const held = Array.from({ length: Math.max(rows, inputs.length) }, (_, channel): Span => {
    const [row, from] = [rows === 1 ? 0 : channel, inputs[inputs.length === 1 ? 0 : channel]];
    if (shift[row] < 0 || shift[row] > 52) throw new Refused(`${textOf(node, 'name')}: a shift is not 0 … 52`);
    const factor = BigInt(multiplier[row]);
    const [low, high] = factor < 0n ? [from[1] * factor, from[0] * factor] : [from[0] * factor, from[1] * factor];
    const added = BigInt(offset[row]) << lift;
    const half = shift[row] === 0 ? 0n : 1n << BigInt(shift[row] - 1);
    return [low + (added < 0n ? added : 0n), high + (added > 0n ? added : 0n) + half];
  });
  const register = joined([[0n, 0n], ...held]);
  if (bitsOf(register) > 54) throw new Refused(`${textOf(node, 'name')}: its products need more than 53 bits`);
  return { spans: [gridOf(node)], holds: 'scaling', register };
}

/** What a certificate must say of a layer, and what its sums can be. */
async function certifiedLayer(node: Json, [c, d]: Span, { tensor }: NetworkFacts) {
  const op = textOf(node, 'op');
  const weightBits = integerOf(node, 'weightBits', 1, 32);
  const claimed = node['accumulatorBits'] === null ? null : integerOf(node, 'accumulatorBits', 2, 32);
  const { shape, q } = tensor(textOf(node, 'weights'), op === 'conv' ? 4 : 2);
  const channels = shape[0];
  const length = q.length / channels;
  if (length === 0) throw new Refused(`${textOf(node, 'name')} has no weights`);
  const rows = Array.from({ length: channels }, (_, i) => q.subarray(i * length, (i + 1) * length));
  const parts = rows.map(partsOf);
  const most = 2 ** (weightBits - 1);
  if (q.some((weight) => weight < -most || weight >= most)) {
    throw new Refused(`${textOf(node, 'name')}: a weight is no integer of ${weightBits} bits`);
  }
  const sums = parts.map(([beta, alpha]): Span => [c * alpha + d * beta, d * alpha + c * beta]);
  const all = joined(sums);
  const safeBits = bitsOf(all);
  const reach = sums.map(([low, high]) => (high > -low - 1n ? high : -low - 1n));
  const channel = reach.reduce((best, each, i) => (each > reach[best] ? i : best), 0);
  const inputs = (positive: number, negative: number) =>
    Array.from(rows[channel], (weight) => (weight > 0 ? positive : weight < 0 ? negative : 0));
  const l1 = parts.reduce((largest, [beta, alpha]) => (alpha - beta > largest ? alpha - beta : largest), 0n);
  const [low, high] = [Number(c), Number(d)];
  const claims = {
    ...{ layer: textOf(node, 'name'), op, weightBits, input: { low, high }, length, channels },
    ...{ accumulatorBits: claimed, safeBits, margin: claimed === null ? null : claimed - safeBits },
    ...{ max: Number(all[1]), min: Number(all[0]), l1: Number(l1) },
    budget: claimed === null || c === d ? null : Number(((1n << BigInt(claimed)) - 2n) / (d - c)),
    zeros: q.reduce((zeros, weight) => zeros + Number(weight === 0), 0),
    weightsSha256: await integersHash(q),
    alpha: parts.map(([, alpha]) => Number(alpha)),
    beta: parts.map(([beta]) => Number(beta)),
    channelMax: sums.map(([, largest]) => Number(largest)),
    channelMin: sums.map(([least]) => Number(least)),
    worst: {
      ...{ channel, max: Number(sums[channel][1]), min: Number(sums[channel][0]) },
      ...{ maxInput: inputs(high, low), minInput: inputs(low, high) },
    },
    proved: claimed === null ? null : safeBits <= claimed,
  };
  return { sums, claims };
}

/** β and α: the sums of the negative and of the positive weights. */
function partsOf(row: Int32Array): Span {
  let [beta, alpha] = [0n, 0n];
  for (const weight of row) {
    if (weight < 0) beta += BigInt(weight);
    else if (weight > 0) alpha += BigInt(weight);
  }
  return [beta, alpha];
}

/** SHA-256 of the integers as row-major little-endian int32. */
function integersHash(q: Int32Array): Promise<string> {
  const bytes = new DataView(new ArrayBuffer(q.length * 4));
  for (let i = 0; i < q.length; i++) bytes.setInt32(i * 4, q[i], true);
  return sha256(new Uint8Array(bytes.buffer));
}
