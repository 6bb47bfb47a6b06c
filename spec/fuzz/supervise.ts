import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { CampaignOptions, Outcome } from './campaign.js';
import type { TargetName } from './targets.js';

/** A case that takes longer than any may, even on a machine with other work, is ended with its process. */
const PATIENCE_MS = 60000;

/**
 * Runs a campaign in a process of its own, so that its memory is measured alone and a case that never ends is found.
 *
 * @throws Error naming the tenth of cases in which the process hung or died
 */
export async function supervise(target: TargetName, { count, seed }: CampaignOptions): Promise<Outcome> {
  const script = fileURLToPath(new URL('./child.js', import.meta.url));
  const child = spawn(process.execPath, [script, target, String(count), String(seed)], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let [at, outcome]: [number, Outcome | null] = [0, null];
  const impatience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  for await (const line of createInterface({ input: child.stdout })) {
    impatience.refresh();
    const message: number | Outcome = JSON.parse(line);
    if (typeof message === 'number') at = message;
    else outcome = message;
  }
  clearTimeout(impatience);
  if (outcome === null) throw new Error(`${target}: no answer in cases ${at} to ${at + 9} of seed ${seed}`);
  return outcome;
}
