import { parseArgs } from 'node:util';
import { BACKEND_NAMES, GPU_BACKEND_NAMES } from '../lib/kernels/registry.js';
import { BackendError } from '../lib/tensor/errors.js';
import { attack } from '../spec/quant/guarantee.js';
import { UsageError } from './options.js';
import { ourEngine } from './ours.js';

const NAMES = [...BACKEND_NAMES, ...GPU_BACKEND_NAMES];

export const GUARANTEE_USAGE = `usage: npm run bench -- guarantee [options]
Attacks A2Q and A2Q+ layers with hostile parameters; the integers of every channel must pass the exact test of their P.
  --json            one JSON object
  --cases N         channels; default 1000000
  --seed N          of the first of the rounds of 20000 channels; default 1
  --backend NAME    ${NAMES.join(', ')}; default wasm
  --simd KIND       auto, plain, relaxed; default auto`;

/** Channels of a round; each has one layer of 10⁵ to 10⁶ terms. */
const ROUND = 20_000;

/** `npm run bench -- guarantee`. @returns the exit code: 1 if a channel can overflow */
export async function guaranteeMain(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof BackendError)) throw error;
    process.stderr.write(`error: ${error.message}\n${error instanceof UsageError ? `${GUARANTEE_USAGE}\n` : ''}`);
    return 2;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { json, help, cases, seed, backend, simd } = parsed(args);
  if (help) {
    process.stdout.write(`${GUARANTEE_USAGE}\n`);
    return 0;
  }
  const engine = await ourEngine({ backend, threads: 1, simd, winograd: 'off' });
  const total = { ...engine.setting, cases, passed: 0, full: 0, refused: 0, failed: 0 };
  for (let done = 0; done < cases; done += ROUND) {
    const count = Math.min(ROUND, cases - done);
    const round = await attack({ seed: seed + done / ROUND, cases: count, long: count === ROUND ? 1 : 0 });
    total.passed += round.passed;
    total.full += round.full;
    total.refused += Object.values(round.refused).reduce((sum, each) => sum + each, 0);
    total.failed += round.failures.length;
    for (const failure of round.failures.slice(0, 3)) process.stderr.write(`${failure}\n`);
    if (!json && process.stderr.isTTY) process.stderr.write(`\r${done + count} of ${cases} channels`);
  }
  engine.close();
  const { passed, full, refused, failed } = total;
  const sentence =
    `${cases} channels: ${passed} fit their register, ${full} of them with no room for one more; ` +
    `${refused} refused by name; ${failed} failed`;
  process.stdout.write(`${json ? JSON.stringify({ name: 'guarantee', ...total }) : sentence}\n`);
  return failed === 0 ? 0 : 1;
}

/** @throws UsageError for anything unknown or out of range */
function parsed(args: readonly string[]) {
  let values: Partial<Record<'cases' | 'seed' | 'backend' | 'simd', string>> & { json?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        cases: { type: 'string' },
        seed: { type: 'string' },
        backend: { type: 'string' },
        simd: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { json = false, help = false, backend = 'wasm', simd = 'auto' } = values;
  if (!NAMES.includes(backend)) throw new UsageError(`--backend: there is no '${backend}'`);
  if (simd !== 'auto' && simd !== 'plain' && simd !== 'relaxed') throw new UsageError(`--simd: there is no '${simd}'`);
  return {
    json,
    help,
    backend,
    simd,
    cases: whole('--cases', values.cases, 1e6),
    seed: whole('--seed', values.seed, 1),
  } as const;
}

function whole(what: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1e9) return value;
  throw new UsageError(`${what} must be an integer from 1 to 1000000000; got '${text}'`);
}
