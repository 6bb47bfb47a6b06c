import t from 'tap';
import { type LabelledDataset, subset } from '../../lib/data/dataset.js';
import { identityNormalisation } from '../../lib/data/normalise.js';
import { evenly, splitForValidation } from '../../lib/data/split.js';
import { DataError } from '../../lib/tensor/errors.js';

/** Images of these labels; they tell them only when made, unless `known`. */
function labelled(labels: readonly number[], known = true): LabelledDataset {
  return {
    kind: 'labels',
    name: 'labelled',
    length: labels.length,
    inputShape: [1, 1, 1],
    normalisation: identityNormalisation(1),
    classes: ['a', 'b', 'c'],
    ...(known ? { labels } : {}),
    write: (index) => labels[index],
  };
}

const LABELS = [...Array(20).fill(0), ...Array(10).fill(1), ...Array(2).fill(2)];

t.test('the same share of every class, the same for the same seed, nothing twice', async (t) => {
  const { train, val } = splitForValidation(labelled(LABELS), { share: 0.2, seed: 3 });
  t.same(
    [0, 1, 2].map((label) => val.filter((i) => LABELS[i] === label).length),
    [4, 2, 1],
  );
  t.same(
    [...train, ...val].sort((a, b) => a - b),
    [...LABELS.keys()],
    'every image is in one part',
  );
  t.same(
    [...val].sort((a, b) => a - b),
    [...val],
    'in rising order',
  );
  t.same(splitForValidation(labelled(LABELS, false), { share: 0.2, seed: 3 }), { train, val }, 'labels told by images');
  t.notSame(splitForValidation(labelled(LABELS), { share: 0.2, seed: 4 }).val, val);
  const part = subset(labelled(LABELS), [30, 31, 0, 1]);
  t.same(splitForValidation(part, { share: 0.5, seed: 0 }).train.length, 2, 'parts know their labels');
});

t.test('one image of a class is taken and one is left; no part is empty', async (t) => {
  const { train, val } = splitForValidation(labelled([0, 0, 1]), { share: 0.99, seed: 0 });
  t.same([train.length, val.length], [2, 1]);
  t.throws(() => splitForValidation(labelled([0, 1]), { share: 0.5, seed: 0 }), DataError);
  for (const share of [0, 1, Number.NaN]) {
    t.throws(() => splitForValidation(labelled(LABELS), { share, seed: 0 }), { message: /between 0 and 1/ });
  }
});

t.test('a number of images, evenly of all classes', async (t) => {
  t.same([...evenly(labelled([0, 0, 0, 1, 1, 1, 2]), 5)], [0, 1, 3, 4, 6]);
  t.same([...evenly(labelled([0, 0, 0, 1, 1, 1, 2]), 2)], [0, 3]);
  t.same(evenly(labelled([0, 0, 0, 1]), 4).length, 4);
});
