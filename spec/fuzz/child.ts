/** One campaign in a process of its own: says which case it is at, then how it went. */
import { writeSync } from 'node:fs';
import { campaign } from './campaign.js';
import type { TargetName } from './targets.js';

const [target, count, seed] = process.argv.slice(2);
const say = (message: unknown) => writeSync(1, `${JSON.stringify(message)}\n`);

say(
  await campaign(target as TargetName, {
    count: Number(count),
    seed: Number(seed),
    onCase: (index) => index % 10 === 0 && say(index),
  }),
);
