import type { IntegerGraph } from '../deploy/graph/graph.js';
import { type RegisterLayer, registerGroups } from '../deploy/registerGroups.js';

/** The groups of weights that fit a register, for people and for machines. */
export interface RegisterReport {
  readonly text: string;
  /** JSON: every group of every channel, as pairs of the weight's index and its units. */
  readonly json: unknown;
}

/** What `a2q deploy --register-bits R` says of a network. @throws DataError, QuantError as `registerGroups` */
export function registerReport(graph: IntegerGraph, registerBits: number): RegisterReport {
  const layers = registerGroups(graph, registerBits);
  const lines = layers.map((layer) => `  ${layer.node}: ${told(layer, registerBits)}`);
  const head = `groups of weights, each proved to fit ${registerBits} bits, as many a channel; integers are unchanged:`;
  return {
    text: [head, ...lines].join('\n'),
    json: { registerBits, layers: layers.map(plain) },
  };
}

function told({ channels, input, sums }: RegisterLayer, registerBits: number): string {
  const range = `inputs ${input.low} … ${input.high}`;
  if (channels === null) return `none: one product with ${range} can be beyond ${registerBits} bits`;
  const counts = channels.map((groups) => groups.length);
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  const total = counts.reduce((a, b) => a + b, 0);
  return (
    `at most ${most}, ${(total / counts.length).toFixed(1)} on average (${total} for ${counts.length} channels, ` +
    `${range}); their sum is ${sums.low} … ${sums.high}`
  );
}

function plain({ node, input, sums, channels }: RegisterLayer) {
  const groups = channels?.map((channel) =>
    channel.map(({ indices, units, low, high }) => ({
      low,
      high,
      units: Array.from(indices, (i, n) => [i, units[n]]),
    })),
  );
  const most = groups?.reduce((count, channel) => Math.max(count, channel.length), 0) ?? null;
  return { node, input, sums, most, channels: groups ?? null };
}
