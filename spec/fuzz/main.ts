import { parseArgs } from 'node:util';
import type { Outcome } from './campaign.js';
import { supervise } from './supervise.js';
import { TARGETS, type TargetName } from './targets.js';

const NAMES = Object.keys(TARGETS) as TargetName[];

const USAGE = `usage: npm run fuzz -- [--target NAME] [--count N] [--seed N]
Reads damaged files of every kind: each must be read or refused by name, in 2 s and 300 MB.
  --target NAME   ${NAMES.join(', ')}; default all
  --count N       files of each kind; default 5000, checkpoints 10000
  --seed N        of the damage; default 1`;

/** What no damaged file may take. */
export const LIMITS = { ms: 2000, growthMB: 300 } as const;

function rowOf({ target, cases, read, refused, raw, slowestMs, slowestCase, growthMB }: Outcome): string {
  const slowest = `${slowestMs.toFixed(0)} ms (case ${slowestCase})`;
  const cells = [target, TARGETS[target].how, cases, read, refused, raw.length, slowest, `${growthMB.toFixed(0)} MB`];
  return `| ${cells.join(' | ')} |`;
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { target: text, count: text, seed: text, help: { type: 'boolean' } } });
  const names = values.target === undefined ? NAMES : NAMES.filter((name) => name === values.target);
  if (values.help || names.length === 0) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  console.log('| files | damage | cases | read | refused by name | raw errors | slowest (processor) | memory grew |');
  console.log('| - | - | - | - | - | - | - | - |');
  let bad = 0;
  for (const name of names) {
    const count = Number(values.count ?? TARGETS[name].count);
    const outcome = await supervise(name, { count, seed: Number(values.seed ?? 1) });
    console.log(rowOf(outcome));
    for (const error of outcome.raw.slice(0, 10)) console.error(error);
    if (outcome.raw.length > 0 || outcome.slowestMs > LIMITS.ms || outcome.growthMB > LIMITS.growthMB) bad++;
  }
  return bad > 0 ? 1 : 0;
}

if (process.argv[1] === new URL(import.meta.url).pathname) process.exitCode = await main();
