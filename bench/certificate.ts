import { parseArgs } from 'node:util';
import { flipBits } from '../spec/deploy/flips.js';
import { UsageError } from './options.js';

export const CERTIFICATE_USAGE = `usage: npm run bench -- certificate [options]
Changes one bit of certificates of integer networks, or of the networks; the verifier must refuse every one.
  --json            one JSON object
  --cases N         certificates; default 1000000
  --networks N      network files; default a tenth of that
  --seed N          of the first round of 10000; default 1`;

const ROUND = 10_000;

/** `npm run bench -- certificate`. @returns the exit code: 1 if damage was taken for sound */
export async function certificateMain(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`error: ${error.message}\n${CERTIFICATE_USAGE}\n`);
    return 2;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { json, help, cases, networks, seed } = parsed(args);
  if (help) {
    process.stdout.write(`${CERTIFICATE_USAGE}\n`);
    return 0;
  }
  const start = performance.now();
  let accepted = 0;
  for (let done = 0; done < cases + networks; done += ROUND) {
    const texts = Math.min(ROUND, Math.max(0, cases - done));
    const files = Math.min(ROUND, cases + networks - done) - texts;
    accepted += (await flipBits(texts, files, seed + done / ROUND)).accepted;
    if (!json && process.stderr.isTTY) process.stderr.write(`\r${done} of ${cases + networks}`);
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  const refused = cases + networks - accepted;
  const sentence = `${cases} certificates and ${networks} networks with one bit changed: ${refused} refused`;
  const result = { name: 'certificate', certificates: cases, networks, refused, accepted, seconds };
  process.stdout.write(`${json ? JSON.stringify(result) : sentence}\n`);
  return accepted === 0 ? 0 : 1;
}

/** @throws UsageError for anything unknown or out of range */
function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  let values: Partial<Record<'cases' | 'networks' | 'seed', string>> & { json?: boolean; help?: boolean };
  try {
    const options = { json: flag, cases: text, networks: text, seed: text, help: { ...flag, short: 'h' } } as const;
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { json = false, help = false } = values;
  const cases = whole('--cases', values.cases, 1_000_000);
  const networks = whole('--networks', values.networks, Math.floor(cases / 10));
  return { json, help, cases, networks, seed: whole('--seed', values.seed, 1) };
}

function whole(what: string, given: string | undefined, otherwise: number): number {
  const value = given === undefined ? otherwise : Number(given);
  if (Number.isSafeInteger(value) && value >= 0 && value <= 1e9) return value;
  throw new UsageError(`${what} must be an integer from 0 to 1000000000; got '${given}'`);
}
