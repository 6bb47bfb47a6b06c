import * as a2q from '../lib/index.js';

/** What JavaScript lets anyone hand over, whatever the types say. */
export const WRONG: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  '-1': () => -1,
  '1.5': () => 1.5,
  'a trillion': () => 1e12,
  'a string': () => 'abc',
  'a truth': () => true,
  'an object': () => ({}),
  'an empty list': () => [],
  'a list of anything': () => [1, 'a', null],
  'a function': () => () => 1,
  'a tensor': () =>
    a2q.tensor([
      [1, 2],
      [3, 4],
    ]),
  'a freed tensor': () => {
    const x = a2q.tensor([1, 2, 3]);
    x.dispose();
    return x;
  },
  'a tensor elsewhere': () => a2q.tensor([1], [1], { device: a2q.backendNamed('reference') }),
  'a tensor of integers': () => a2q.tensor(Int32Array.of(1, 2)),
};
