import t from 'tap';
import '../../lib/kernels/registry.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { arange } from '../../lib/index.js';
import { checkSameClasses, matchClasses } from '../../lib/train/matchClasses.js';
import { buildModel } from '../../lib/train/models.js';
import { loadFloatWeights } from '../../lib/train/weights.js';
import { tinyRun } from './runs.js';

const classNames = glyphs({ length: 1 }).classes;
const float = tinyRun({ method: 'float', seed: 3 });

t.test('each class keeps its weights, whatever its place', async (t) => {
  const trained = buildModel(float).eval();
  const source = { state: await trained.stateDict(), name: 'run', classNames };
  const wanted = [...classNames].reverse();
  const x = arange(512)
    .mul(1 / 512)
    .reshape([2, 1, 16, 16]);
  const theirs = await trained.forward(x).data();
  const model = buildModel(tinyRun({ method: 'float', seed: 4 })).eval();
  await loadFloatWeights(model, matchClasses(model, source, wanted).state, 'run');
  const ours = await model.forward(x).data();
  t.same(
    Array.from(ours),
    Array.from(theirs, (_, i) => theirs[10 * Math.floor(i / 10) + 9 - (i % 10)]),
  );
  t.equal(matchClasses(model, source, classNames), source, 'nothing to be done');
  t.equal(matchClasses(model, { state: source.state, name: 'foreign' }, wanted).state, source.state, 'unknown');
});

t.test('other classes are named', async (t) => {
  const source = { state: new Map(), name: 'run', classNames: ['ant', 'bee', 'caf\u00e9'] };
  t.doesNotThrow(() => checkSameClasses(source, ['bee', 'ant', 'cafe\u0301']), 'a name in two encodings is one');
  t.doesNotThrow(() => checkSameClasses(source, undefined));
  t.throws(() => checkSameClasses(source, ['ant', 'wasp', 'caf\u00e9']), {
    message: 'initFrom: run tells other classes apart: bee only there; wasp only in the data',
  });
  t.throws(() => checkSameClasses(source, ['ant', 'bee']), { message: /café only there$/ });
});

t.test('a last layer without a row for each class', async (t) => {
  const model = buildModel(tinyRun({ shape: { kind: 'labels', inputShape: [1, 16, 16], signed: false, classes: 2 } }));
  const source = { state: await model.stateDict(), name: 'run', classNames: ['ant', 'bee', 'cat'] };
  t.throws(() => matchClasses(model, source, ['bee', 'ant', 'cat']), { message: /its last layer, \S+, has no row/ });
});
