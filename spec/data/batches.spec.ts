import fc from 'fast-check';
import t from 'tap';
import { batchCount, batches, epochOrder, makeBatch } from '../../lib/data/batches.js';
import { factsOf, type ImagePairDataset, type LabelledDataset, sampleRandom, subset } from '../../lib/data/dataset.js';
import { imageFolder } from '../../lib/data/imageFolder.js';
import { identityNormalisation } from '../../lib/data/normalise.js';
import { pixels } from '../../lib/data/pixels.js';
import { DataError } from '../../lib/tensor/errors.js';

/** Inputs [1, 1, 2]: the index, and the sample's first random number (−1 without augmentation); label = 10·index. */
function counting(length: number): LabelledDataset {
  return {
    kind: 'labels',
    name: 'counting',
    length,
    inputShape: [1, 1, 2],
    normalisation: identityNormalisation(1),
    classes: ['a'],
    write(index, input, random) {
      input[0] = index;
      input[1] = random ? random.uniform() : -1;
      return 10 * index;
    },
  };
}

/** Inputs [1, 1, 1] hold the index, targets [1, 1, 3] its negative thrice. */
const pairs: ImagePairDataset = {
  kind: 'images',
  name: 'pairs',
  length: 3,
  inputShape: [1, 1, 1],
  targetShape: [1, 1, 3],
  normalisation: identityNormalisation(1),
  write(index, input, target) {
    input[0] = index;
    target.fill(-index);
  },
};

t.test('sequential batches with a smaller last one', async (t) => {
  const made = [...batches(counting(5), { batchSize: 2 })];
  t.same(
    made.map((batch) => [...batch.indices]),
    [[0, 1], [2, 3], [4]],
  );
  t.same([...made[1].inputs], [2, -1, 3, -1]);
  t.same([...made[1].targets], [20, 30]);
  t.same(
    made.map((batch) => [batch.position, batch.size, ...batch.inputShape]),
    [
      [0, 2, 2, 1, 1, 2],
      [1, 2, 2, 1, 1, 2],
      [2, 1, 1, 1, 1, 2],
    ],
  );
});

t.test('image pairs', async (t) => {
  const [batch] = batches(pairs, { batchSize: 3 });
  t.equal(batch.kind, 'images');
  t.same([...batch.inputs], [0, 1, 2]);
  t.same([...batch.targets], [-0, -0, -0, -1, -1, -1, -2, -2, -2]);
  t.same(batch.targetShape, [3, 1, 1, 3]);
});

t.test('dropLast', async (t) => {
  const count = (n: number, batchSize: number, dropLast: boolean) => {
    const made = [...batches(counting(n), { batchSize, dropLast })].length;
    t.equal(batchCount(counting(n), { batchSize, dropLast }), made);
    return made;
  };
  t.same(
    [count(5, 2, true), count(5, 2, false), count(4, 2, true), count(4, 2, false), count(1, 2, true)],
    [2, 3, 2, 2, 0],
  );
});

t.test('a shuffled epoch has every sample once, in an order of its own', async (t) => {
  const order = (seed: number, epoch: number) => [...epochOrder(100, { seed, epoch }, true)];
  const sorted = Array.from({ length: 100 }, (_, i) => i);
  for (const [seed, epoch] of [
    [0, 0],
    [0, 1],
    [1, 0],
  ])
    t.same(
      order(seed, epoch).sort((a, b) => a - b),
      sorted,
    );
  t.notSame(order(0, 0), sorted);
  t.notSame(order(0, 0), order(0, 1));
  t.notSame(order(0, 0), order(1, 0));
  t.same(order(3, 4), order(3, 4));
});

t.test('a run resumed at batch k sees what the uninterrupted one saw', async () => {
  fc.assert(
    fc.property(
      fc.record({
        length: fc.integer({ min: 1, max: 40 }),
        batchSize: fc.integer({ min: 1, max: 9 }),
        seed: fc.integer(),
        epoch: fc.nat(1000),
        dropLast: fc.boolean(),
        cut: fc.nat(40),
      }),
      ({ length, cut, ...rest }) => {
        const options = { ...rest, shuffle: true };
        const whole = [...batches(counting(length), options)];
        const start = Math.min(cut, whole.length);
        const resumed = [...batches(counting(length), { ...options, start })];
        return JSON.stringify(resumed) === JSON.stringify(whole.slice(start));
      },
    ),
    { numRuns: 200 },
  );
});

t.test('augmentation belongs to (seed, epoch, index), not to the order', async (t) => {
  const draws = (options: { seed: number; epoch: number; batchSize: number }) => {
    const bySample = new Map<number, number>();
    for (const batch of batches(counting(20), { shuffle: true, ...options })) {
      batch.indices.forEach((index, row) => {
        bySample.set(index, batch.inputs[2 * row + 1]);
      });
    }
    return Array.from({ length: 20 }, (_, i) => bySample.get(i));
  };
  const first = draws({ seed: 1, epoch: 2, batchSize: 4 });
  t.same(draws({ seed: 1, epoch: 2, batchSize: 7 }), first);
  t.equal(
    new Set([...first, ...draws({ seed: 1, epoch: 3, batchSize: 4 }), ...draws({ seed: 2, epoch: 2, batchSize: 4 })])
      .size,
    60,
  );
  const plain = makeBatch(counting(20), [4, 4], null);
  t.same([...plain.inputs], [4, -1, 4, -1]);
  const drawn = makeBatch(counting(20), [4], { seed: 1, epoch: 2 });
  t.equal(drawn.inputs[1], first[4]);
});

t.test('batches own their arrays', async (t) => {
  const [a, b] = batches(counting(4), { batchSize: 2 });
  a.inputs.fill(99);
  t.same([...b.inputs], [2, -1, 3, -1]);
});

t.test('sampleRandom gives unlike streams for like paths', async (t) => {
  const seen = new Set<number>();
  for (let seed = -2; seed < 3; seed++) {
    for (let epoch = 0; epoch < 20; epoch++) {
      for (let index = 0; index < 100; index++) seen.add(sampleRandom(seed, epoch, index).uniform());
    }
  }
  t.equal(seen.size, 10000);
  t.not(sampleRandom(1, 2).uniform(), sampleRandom(2, 1).uniform());
  t.not(sampleRandom(1).uniform(), sampleRandom(1 + 2 ** 32).uniform());
  t.equal(sampleRandom(7, 8, 9).uniform(), sampleRandom(7, 8, 9).uniform());
  // First numbers of neighbouring samples are uniform: 10 bins of 1000 expected, five standard deviations.
  const bins = new Array<number>(10).fill(0);
  for (let index = 0; index < 10000; index++) bins[Math.floor(10 * sampleRandom(0, 0, index).uniform())]++;
  t.ok(
    bins.every((n) => Math.abs(n - 1000) < 150),
    `bins ${bins}`,
  );
});

t.test('a subset keeps facts and order', async (t) => {
  const part = subset(counting(10), [7, 3]);
  t.same([part.length, part.name, part.inputShape, part.classes], [2, 'counting', [1, 1, 2], ['a']]);
  t.same([...makeBatch(part, [0, 1]).targets], [70, 30]);
  t.same([...makeBatch(subset(pairs, 2), [1]).targets], [-1, -1, -1]);
  t.equal(subset(pairs, 2).length, 2);
  t.throws(() => subset(pairs, 4), { message: /first 4 of the 3/ });
  t.throws(() => subset(pairs, [0, 3]), DataError);
  t.throws(() => subset(pairs, 0), DataError);
});

t.test('an epoch cut short', async (t) => {
  const positions = (options: object) =>
    [...batches(counting(9), { batchSize: 2, ...options })].map(({ position }) => position);
  t.same(positions({ limit: 3 }), [0, 1, 2]);
  t.same(positions({ limit: 3, start: 2 }), [2]);
  t.same(positions({ limit: 3, start: 3 }), []);
  t.same(positions({ limit: 9, dropLast: true }), [0, 1, 2, 3]);
  t.equal(batchCount(counting(9), { batchSize: 2, limit: 3 }), 3);
  const order = (limit: number) => [...batches(counting(9), { batchSize: 2, shuffle: true, limit })][0].indices;
  t.same(order(1), order(9), 'in the order of the whole');
});

t.test('batches of a part', async (t) => {
  const options = { batchSize: 2, shuffle: true, seed: 3, epoch: 1 };
  const part = Uint32Array.of(7, 3, 8);
  t.same([...batches(counting(10), { ...options, part })], [...batches(subset(counting(10), part), options)]);
  t.same(
    [...batches(counting(10), { batchSize: 2, part })].map(({ targets }) => [...targets]),
    [[70, 30], [80]],
  );
  t.equal([...batches(counting(10), { batchSize: 1, part: 4 })].length, 4);
});

t.test('the facts of a dataset are plain data', async (t) => {
  const { write: _, ...facts } = counting(3);
  t.strictSame(factsOf({ ...counting(3), helper: () => 0 } as LabelledDataset), facts);
  const { write: __, ...images } = pairs;
  t.strictSame(structuredClone(factsOf(pairs)), images);
});

t.test('options out of range', async (t) => {
  const run = (options: object) => () => [...batches(counting(5), { batchSize: 2, ...options })];
  t.throws(run({ batchSize: 0 }), { message: /batchSize must be a positive integer; got 0/ });
  t.throws(run({ batchSize: 1.5 }), DataError);
  t.throws(run({ start: 4 }), { message: /start must be 0 … 3/ });
  t.throws(run({ start: -1 }), DataError);
  t.throws(run({ limit: 2, start: 3 }), { message: /start must be 0 … 2/ });
  for (const limit of [0, -1, 1.5, Number.NaN])
    t.throws(run({ limit }), { message: /limit must be a positive integer/ });
  t.throws(run({ part: [5] }), { message: /no sample 5; the set has 5/ });
  t.throws(run({ epoch: -1 }), DataError);
  t.throws(run({ seed: 0.5, shuffle: true }), DataError);
  t.same(run({ start: 3 })(), []);
  t.throws(() => makeBatch(counting(5), [5]), { message: /no sample 5; the set has 5/ });
});

t.test('a cut epoch may have images evenly of all classes', async (t) => {
  const labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2];
  const dataset = imageFolder(
    { classes: ['a', 'b', 'c'], labels, load: () => pixels(8, 8, 3, new Uint8Array(192)) },
    { size: 8 },
  );
  const seen = (options: { limit?: number; balanced?: boolean }) =>
    Array.from(batches(dataset, { batchSize: 3, ...options }), ({ targets }) => [...targets]).flat();
  t.same(seen({ limit: 2, balanced: true }), [0, 0, 1, 1, 2, 2]);
  t.same(seen({ limit: 2 }), [0, 0, 0, 0, 1, 1]);
  t.same(seen({ balanced: true }), labels, 'a whole one is as it was');
  t.same(seen({ limit: 4, balanced: true }), labels);
});

t.test('what a dataset of one’s own may get wrong is named, with the sample', async (t) => {
  const labels: readonly unknown[] = [undefined, null, Promise.resolve(1), '1', Number.NaN, 0.9, 2 ** 32];
  for (const label of labels) {
    const dataset: LabelledDataset = { ...counting(3), write: (index) => (index === 1 ? (label as number) : 0) };
    t.throws(() => [...batches(dataset, { batchSize: 3 })], {
      name: 'DataError',
      message: /^counting: write must return the label of sample 1, an integer; got /,
    });
  }
  t.throws(() => makeBatch({ ...pairs, write: async () => {} }, [2]), {
    name: 'DataError',
    message: /^pairs: write must be done with sample 2 when it returns; got a Promise: did you forget await\?/,
  });
  t.throws(() => makeBatch({ ...pairs, write: undefined } as never, [0]), { message: /must have a method write/ });
  for (const inputShape of [[1, -16, 16], [1, 16], undefined, [1, 0, 1]]) {
    t.throws(() => makeBatch({ ...counting(1), inputShape } as never, [0]), {
      message: /inputShape of counting must be/,
    });
  }
  t.throws(() => makeBatch({ ...pairs, targetShape: [1] } as never, [0]), { message: /targetShape of pairs must be/ });
});
