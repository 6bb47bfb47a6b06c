import t from 'tap';
import { auditOnBlank } from '../../lib/cli/commands/audit.js';
import { currentDevice } from '../../lib/tensor/current.js';
import { memory, resetPeak } from '../../lib/tensor/storage.js';
import { buildModel } from '../../lib/train/models.js';
import { tinyRun } from '../train/runs.js';

t.test('the pass that shows where inputs come from is as large as the file at most, not as its pictures', async (t) => {
  const shape = (side: number) => ({ kind: 'images', inputShape: [3, side, side], signed: false, factor: 3 }) as const;
  const audits = [];
  for (const side of [64, 2048]) {
    const config = tinyRun({ model: 'espcn', shape: shape(side) });
    const model = buildModel(config);
    const before = memory(currentDevice()).bytes;
    resetPeak(currentDevice());
    audits.push(await auditOnBlank(model, config));
    t.ok(memory(currentDevice()).peakBytes - before < 64e6, 'peak');
    t.equal(memory(currentDevice()).bytes, before);
    model.dispose();
  }
  t.ok(audits[0].proved);
  t.same(audits[1], audits[0]);

  const { shape: glyph, ...rest } = tinyRun();
  const wide = { ...rest, shape: { ...glyph, inputShape: [1, 80, 80] } as typeof glyph };
  const model = buildModel(wide);
  t.ok((await auditOnBlank(model, wide)).proved, 'whatever the side that its linear layer wants');
  model.dispose();
});
