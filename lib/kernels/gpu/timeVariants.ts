import type { Content } from './content.js';
import { whole } from './map.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';
import { input, kernelSource } from './source.js';

/** Every variant runs at least twice, and more often while all of that is short. */
const RUNS = [2, 8] as const;
const MILLISECONDS = 100;

/** What a variant made, and its shortest time. */
export interface TimedResult {
  readonly content: Content;
  readonly milliseconds: number;
}

/** Runs the variants turn by turn, a few times, nothing else on the device. What they made belongs to the caller. */
export async function timeVariants(runtime: Runtime, variants: readonly (() => Content)[]): Promise<TimedResult[]> {
  const { ready, pass, end } = runtime.reserve();
  const timed = async (variant: () => Content): Promise<TimedResult> => {
    const start = performance.now();
    const content = pass(variant);
    await pass(() => arrival(runtime, content));
    return { content, milliseconds: performance.now() - start };
  };
  const best: TimedResult[] = [];
  try {
    await ready;
    // The first run compiles, so it does not count.
    for (const variant of variants) best.push({ ...(await timed(variant)), milliseconds: Infinity });
    let total = 0;
    for (let run = 0; run < RUNS[0] || (run < RUNS[1] && total < MILLISECONDS); run++) {
      for (const [i, variant] of variants.entries()) {
        const { content, milliseconds } = await timed(variant);
        best[i].content.release();
        best[i] = { content, milliseconds: Math.min(milliseconds, best[i].milliseconds) };
        total += milliseconds;
      }
    }
    return best;
  } catch (error) {
    for (const { content } of best) content.release();
    throw error;
  } finally {
    end();
  }
}

/** Resolves when all that was issued before is done. */
export async function finish(runtime: Runtime): Promise<void> {
  const { ready, pass, end } = runtime.reserve();
  try {
    await ready;
    const last = pass(() => runtime.upload(Float32Array.of(0)));
    await pass(() => arrival(runtime, last));
    last.release();
  } finally {
    end();
  }
}

/** Whether any two numbers at the same place differ; NaN is the same as NaN. */
export async function differ(runtime: Runtime, a: Content, b: Content): Promise<boolean> {
  if (a === b) return false;
  const operands = [a, b].map((each) => whole(each, [each.length]));
  const term = ([x, y]: readonly string[]) =>
    `let v = 1;\nif (${x} == ${y} || (!(${x} == ${x}) && !(${y} == ${y}))) { v = 0; }`;
  const count = reduceTerms(runtime, 'sum', [a.length], operands, [0], { term });
  const [differences] = await runtime.read(count, 1);
  count.release();
  return differences > 0;
}

/** Reads one number of a content, for which all of it must be there. */
async function arrival(runtime: Runtime, content: Content): Promise<void> {
  const one = runtime.run(kernelSource(1, 0, `return ${input(0)}[0];`), 1, [content]);
  const reading = runtime.read(one, 1);
  one.release();
  await reading;
}
