import '../startReference.js';
import t from 'tap';
import type { RunConfig } from '../../lib/train/config.js';
import { buildModel } from '../../lib/train/models.js';
import { lengthNotes, settingNotes } from '../../lib/train/settingNotes.js';
import { tinyRun } from './runs.js';

function notes(config: RunConfig, ...given: string[]): string[] {
  const model = buildModel(config);
  const found = settingNotes(config, model, new Set(given));
  model.dispose();
  return found;
}

/** The tiny run without its quantizers. */
function floatRun(): RunConfig {
  const { weightBits: _, actBits: __, accumulatorBits: ___, ...rest } = tinyRun();
  return { ...rest, method: 'float' };
}

t.test('settings that mean nothing for the method are named', async (t) => {
  const given = ['start.reestimationSamples', 'start.epInit', 'penaltyWeight', 'collectStatsSteps', 'seed'];
  t.same(notes(floatRun(), ...given), [
    '--ep-init has no meaning with --method float, and is left out',
    '--reestimation-images has no meaning with --method float, and is left out',
    '--penalty has no effect with --method float, which bounds no norms',
    '--stats-steps has no effect with --method float, which quantizes nothing',
  ]);
  t.same(notes(tinyRun(), ...given), [], 'all of them mean something for A2Q+');
});

t.test('a P that no weights reach is named, with what they need at most', async (t) => {
  // The widest hidden layer has K = 288: ‖q‖₁ ≤ 288·7 = 2016, and 2^P > 2016·15 + 1 for P = 15.
  t.same(notes(tinyRun({ accumulatorBits: 14 })), []);
  for (const accumulatorBits of [15, 24]) {
    const [note] = notes(tinyRun({ accumulatorBits }));
    t.match(
      note,
      `--acc-bits ${accumulatorBits} has no effect: weights and inputs of these bits never need more than 15`,
    );
  }
});

t.test('statistics as long as the run, norms frozen after its end, limits above an epoch', async (t) => {
  // Two epochs of five batches.
  t.same(lengthNotes(tinyRun({ collectStatsSteps: 9 }), 6), []);
  t.match(lengthNotes(tinyRun({ collectStatsSteps: 10 }), 6), [
    /--stats-steps 10 is as long as the whole run of 10 steps/,
  ]);
  const { start } = tinyRun();
  const calibrated = tinyRun({ collectStatsSteps: 10, start: { ...start, calibrationSamples: 8 } });
  t.same(lengthNotes(calibrated, 6), [], 'calibration takes the place of the statistics');
  t.same(lengthNotes({ ...floatRun(), collectStatsSteps: 300 }, 6), []);
  t.match(lengthNotes(tinyRun({ freezeNorms: 2 }), 6), [/--freeze-norms 2 has no effect/]);
  t.match(lengthNotes(tinyRun(), 5), [/--limit-batches 5 has no effect: an epoch has 5 batches/]);
  t.match(lengthNotes(tinyRun({ checkpointEvery: 11 }), 6), [/--checkpoint-every 11 has no effect on 10 steps/]);
  const steps = { kind: 'step', stepSize: 2, gamma: 0.1 } as const;
  t.match(lengthNotes(tinyRun({ schedule: steps }), 6), [/--schedule has no effect: .* after 2 epochs, the run has 2/]);
  t.same(lengthNotes(tinyRun({ schedule: { ...steps, stepSize: 1 } }), 6), []);
});
