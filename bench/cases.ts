import { Random } from '../lib/tensor/random.js';
import { type Comparison, comparison } from './comparison.js';
import { type Engine, relativeDifference } from './engine.js';
import { type OurEngine, ourEngine } from './ours.js';
import { loadPeer, type PeerName } from './peers/index.js';
import { type ConvShape, convProblem, matmulProblem, type Problem } from './problem.js';
import { type Counts, timeInterleaved } from './timing.js';

/** What results may differ by, relative to their root mean square: room for Winograd's roundings, not for errors. */
export const TOLERANCE = 1e-4;

/** Whom we run against: a peer, or our own wasm backend without relaxed SIMD. */
const PLAIN = 'a2q.js plain SIMD';
type Opponent = PeerName | typeof PLAIN;

/** One problem, one opponent, fixed counts. */
export interface BenchmarkCase {
  readonly problem: (random: Random) => Problem;
  readonly opponent: Opponent;
  readonly counts: Counts;
}

const matmulCase = (opponent: Opponent, rounds: number, m: number, k: number, n: number): BenchmarkCase => ({
  problem: (random) => matmulProblem([m, k, n], random),
  opponent,
  counts: { warmup: Math.max(3, Math.min(rounds, 20)), rounds },
});

/** Shapes of a training step: square, tiny, large, and the products of weights and images, wide and tall. */
export const MATMUL_CASES: readonly BenchmarkCase[] = [
  matmulCase('tfjs-wasm', 31, 512, 512, 512),
  matmulCase('jax-js', 31, 512, 512, 512),
  matmulCase(PLAIN, 31, 512, 512, 512),
  matmulCase('tfjs-wasm', 201, 128, 128, 128),
  matmulCase('jax-js', 201, 128, 128, 128),
  matmulCase('tfjs-wasm', 9, 1024, 1024, 1024),
  matmulCase('tfjs-wasm', 31, 64, 576, 4096),
  matmulCase('tfjs-wasm', 31, 4096, 576, 64),
];

const convCase = (
  opponent: Opponent,
  warmup: number,
  rounds: number,
  shape: ConvShape,
  gradients = false,
): BenchmarkCase => ({
  problem: (random) => convProblem(shape, gradients, random),
  opponent,
  counts: { warmup, rounds },
});

const SQUARE = { batch: 8, channels: 32, side: 32, outputs: 32, kernel: 3 };

/**
 * 3×3, 1×1, 5×5, strided; forward, and forward with both gradients. The cpu backend of tfjs gets a batch of one: it
 * needs seconds.
 */
export const CONV_CASES: readonly BenchmarkCase[] = [
  convCase('tfjs-wasm', 10, 31, SQUARE),
  convCase('jax-js', 3, 15, SQUARE),
  convCase('tfjs-wasm', 3, 11, { batch: 8, channels: 64, side: 64, outputs: 64, kernel: 3 }),
  convCase('tfjs-wasm', 3, 15, { batch: 16, channels: 64, side: 32, outputs: 128, kernel: 3, stride: 2 }),
  convCase('tfjs-wasm', 5, 21, { batch: 8, channels: 3, side: 64, outputs: 64, kernel: 5 }),
  convCase('tfjs-wasm', 3, 15, { batch: 32, channels: 256, side: 16, outputs: 256, kernel: 1 }),
  convCase('tfjs-wasm', 3, 15, SQUARE, true),
  convCase('jax-js', 3, 9, SQUARE, true),
  convCase('tfjs-cpu', 1, 3, { ...SQUARE, batch: 1 }, true),
];

/** Thrown where two engines disagree: the time of a wrong result means nothing. */
export class DisagreementError extends Error {
  constructor(problem: string, ours: string, theirs: string, difference: number) {
    super(`${problem}: ${ours} and ${theirs} differ by ${difference.toExponential(1)} of the root mean square`);
    this.name = 'DisagreementError';
  }
}

/**
 * Checks that both engines compute the same numbers, then times them turn by turn.
 * @throws DisagreementError if they do not; Error if an engine cannot do the problem
 */
export async function runCase(ours: OurEngine, theirs: Engine, problem: Problem, counts: Counts): Promise<Comparison> {
  const opponent = await theirs.enter(problem);
  const own = await ours.enter(problem);
  try {
    const expected = opponent.canonical(await opponent.run());
    const found = own.canonical(await own.run());
    if (found.length !== expected.length) throw new Error(`${problem.name}: ${theirs.name} gives other results`);
    const difference = Math.max(...found.map((each, i) => relativeDifference(each, expected[i])));
    if (!(difference <= TOLERANCE)) throw new DisagreementError(problem.name, ours.name, theirs.name, difference);
    const probe = (outputs: readonly Float32Array[]) => outputs.reduce((sum, each) => sum + each[each.length - 1], 0);
    const runs = [own, opponent].map((entry) => async () => probe(await entry.run()));
    const [ourTime, theirTime] = await timeInterleaved(runs, counts);
    return comparison(ourTime, theirTime, {
      name: problem.name,
      theirsName: theirs.name,
      ...ours.setting,
      rounds: counts.rounds,
      gflop: problem.flops / 1e9,
      difference: Number(difference.toPrecision(2)),
    });
  } finally {
    own.dispose();
    opponent.dispose();
  }
}

/**
 * Runs cases one after another.
 *
 * @param rounds in place of a case's own count
 * @param skipped told of every case that cannot run, and why
 * @throws DisagreementError where results differ
 */
export async function* runCases(
  cases: readonly BenchmarkCase[],
  ours: OurEngine,
  skipped: (what: string, why: string) => void,
  rounds?: number,
): AsyncGenerator<Comparison> {
  const engines = new Map<Opponent, Promise<Engine>>();
  for (const { problem: make, opponent, counts } of cases) {
    const problem = make(new Random(1));
    const engine = engines.get(opponent) ?? loadOpponent(opponent, ours);
    engines.set(opponent, engine);
    const chosen = rounds === undefined ? counts : { warmup: Math.min(counts.warmup, rounds), rounds };
    try {
      yield await runCase(ours, await engine, problem, chosen);
    } catch (error) {
      if (error instanceof DisagreementError) throw error;
      skipped(`${problem.name} against ${opponent}`, error instanceof Error ? error.message : String(error));
    }
  }
}

async function loadOpponent(opponent: Opponent, ours: OurEngine): Promise<Engine> {
  if (opponent !== PLAIN) return loadPeer(opponent);
  const { simd, threads, winograd } = ours.setting;
  if (simd !== 'relaxed') throw new Error(`what runs is ${simd === null ? 'not wasm' : 'plain SIMD already'}`);
  const engine = await ourEngine({ backend: 'wasm', threads, simd: 'plain', winograd: winograd ?? 'off' });
  return { ...engine, name: PLAIN };
}
