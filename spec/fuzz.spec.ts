import t from 'tap';
import { LIMITS } from './fuzz/main.js';
import { supervise } from './fuzz/supervise.js';
import { TARGETS, type TargetName } from './fuzz/targets.js';

/** A sample of `npm run fuzz`. */
const COUNTS: Readonly<Record<TargetName, number>> = {
  ...{ checkpoint: 200, config: 300, certificate: 100, log: 300, png: 300, jpeg: 300, cifar: 200, onnx: 150 },
  ...{ network: 300, networkCertificate: 300 },
};

for (const target of Object.keys(TARGETS) as TargetName[]) {
  t.test(`damaged files: ${target}`, async (t) => {
    const outcome = await supervise(target, { count: COUNTS[target], seed: 2 });
    t.same(outcome.raw, [], 'each is read or refused by name');
    t.equal(outcome.read + outcome.refused, COUNTS[target]);
    t.ok(outcome.refused > COUNTS[target] / 10, `${outcome.refused} are refused`);
    t.ok(outcome.slowestMs < LIMITS.ms, `slowest ${outcome.slowestMs} ms`);
    t.ok(outcome.growthMB < LIMITS.growthMB, `memory grew by ${outcome.growthMB} MB`);
  });
}
