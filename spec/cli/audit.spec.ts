import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { auditOnBlank, auditTable } from '../../lib/cli/commands/audit.js';
import { currentDevice } from '../../lib/tensor/current.js';
import { memory, resetPeak } from '../../lib/tensor/storage.js';
import { buildModel } from '../../lib/train/models.js';
import { tinyRun } from '../train/runs.js';

t.test('the pass that shows where inputs come from is as large as the file at most, not as its pictures', async (t) => {
  const shape = (side: number) => ({ kind: 'images', inputShape: [3, side, side], signed: false, factor: 3 }) as const;
  const audits = [];
  for (const side of [64, 1024]) {
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

t.test('the table fits the terminal, and says what it leaves out', async (t) => {
  const model = buildModel(tinyRun());
  const { layers } = await auditOnBlank(model, tinyRun());
  model.dispose();
  const all = auditTable(layers, 200);
  t.notMatch(all, '--json has more');
  for (const width of [60, 80, 100]) {
    const lines = auditTable(layers, width).split('\n').map(stripVTControlCharacters);
    t.ok(Math.max(...lines.map(({ length }) => length)) <= Math.max(width, 70), lines.join('\n'));
    t.match(lines[0], /layer.* P .*safe P.*verdict/);
    t.match(lines.at(-1), /--json has more: .*bound/);
    for (const { layer } of layers) t.ok(lines.some((line) => line.startsWith(layer)));
  }
});
