import t from 'tap';
import type { GraphNode } from '../../../lib/deploy/graph/graph.js';
import { inferShapes, shapeOf } from '../../../lib/deploy/graph/shapes.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { alike, PLAIN, tinyConv, tinyGraph } from '../tinyGraph.js';

type Case = readonly [
  about: string,
  node: GraphNode,
  shapes: readonly (readonly number[])[],
  wanted: number[] | RegExp,
];

const { tensors } = tinyGraph([tinyConv()], {
  tensors: {
    w: alike([8, 2, 3, 3]),
    deep: alike([4, 1, 3, 3]),
    fc: alike([5, 12]),
    three: alike([3], 0),
    one: alike([1], 0),
    steps: alike([3, 7]),
  },
});

const one = (name: string) => ({ name, inputs: ['x'] });
const two = (name: string) => ({ name, inputs: ['x', 'z'] });
const requantize = (base: string): GraphNode => ({
  ...{ op: 'requantize', mode: 'thresholds', ...one('q'), low: 0, high: 7, scale: 1 },
  ...{ thresholds: 'steps', sign: base, base },
});
const fixed: GraphNode = {
  ...{ op: 'requantize', mode: 'fixed', ...one('f'), low: 0, high: 7, scale: 1, lift: 0, error: 0 },
  ...{ multiplier: 'three', offset: 'three', shift: 'three' },
};
const pool = (op: 'maxPool' | 'sumPool', given = {}): GraphNode => ({
  ...{ op, ...one('p'), ...PLAIN, kernel: [2, 2] },
  ...given,
});

const CASES: readonly Case[] = [
  ['conv', tinyConv(), [[3, 2, 5, 6]], [3, 8, 3, 4]],
  ['conv, padded, strided', tinyConv({ padding: [1, 0], stride: [2, 3] }), [[1, 2, 5, 9]], [1, 8, 3, 3]],
  ['conv, dilated', tinyConv({ dilation: [2, 1] }), [[1, 2, 5, 5]], [1, 8, 1, 3]],
  ['conv, resized', tinyConv({ resize: 3 }), [[1, 2, 2, 1]], [1, 8, 4, 1]],
  ['conv, depthwise', tinyConv({ weights: 'deep', groups: 4 }), [[1, 4, 3, 3]], [1, 4, 1, 1]],
  ['conv of other channels', tinyConv(), [[1, 3, 5, 5]], /y \(conv\): its weights \[8, 2, 3, 3\] want other channels/],
  ['conv of a small image', tinyConv(), [[1, 2, 2, 5]], /its window is larger than the image; got \[1, 2, 2, 5\]/],
  ['conv of rows', tinyConv(), [[1, 2]], /wants images \[N, C, H, W\]; got \[1, 2\]/],
  ['conv, resized beyond memory', tinyConv({ resize: 64 }), [[1, 2, 512, 512]], /resized input of y would have shape/],
  ['linear', { op: 'linear', ...one('l'), ...linear() }, [[7, 12]], [7, 5]],
  ['linear of others', { op: 'linear', ...one('l'), ...linear() }, [[7, 13]], /l \(linear\): wants \[N, 12\]/],
  ['linear of images', { op: 'linear', ...one('l'), ...linear() }, [[1, 12, 1, 1]], /wants \[N, 12\]/],
  [
    'add',
    { op: 'add', ...two('a') },
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
    [1, 2, 3],
  ],
  [
    'add of others',
    { op: 'add', ...two('a') },
    [
      [1, 2, 3],
      [1, 1, 3],
    ],
    /wants equal shapes; got .* and \[1, 1, 3\]/,
  ],
  ['maxPool', pool('maxPool', { stride: [2, 2] }), [[1, 3, 5, 4]], [1, 3, 2, 2]],
  ['maxPool, padded', pool('maxPool', { padding: [1, 1] }), [[1, 3, 5, 4]], [1, 3, 6, 5]],
  [
    'maxPool before the image',
    pool('maxPool', { padding: [2, 0] }),
    [[1, 3, 5, 4]],
    /a window of it would hold no pixel/,
  ],
  [
    'maxPool around the image',
    pool('maxPool', { padding: [2, 0], dilation: [4, 1] }),
    [[1, 3, 2, 4]],
    /a window of it would hold no pixel/,
  ],
  ['sumPool', pool('sumPool', { padding: [2, 0] }), [[1, 3, 5, 4]], [1, 3, 8, 3]],
  ['sumPool of planes', pool('sumPool', { kernel: null }), [[2, 3, 5, 4]], [2, 3, 1, 1]],
  ['sumPool of rows', pool('sumPool', { kernel: null }), [[2, 3]], /wants images/],
  ['upsample', { op: 'upsample', ...one('u'), factor: 3 }, [[1, 2, 3, 4]], [1, 2, 9, 12]],
  ['pixelShuffle', { op: 'pixelShuffle', ...one('s'), factor: 2 }, [[1, 8, 3, 4]], [1, 2, 6, 8]],
  ['pixelShuffle of 6', { op: 'pixelShuffle', ...one('s'), factor: 2 }, [[1, 6, 3, 4]], /channels divisible by 2²/],
  [
    'concat',
    { op: 'concat', ...two('c') },
    [
      [1, 2, 3],
      [1, 5, 3],
    ],
    [1, 7, 3],
  ],
  [
    'concat of sizes',
    { op: 'concat', ...two('c') },
    [
      [1, 2, 3],
      [1, 2, 4],
    ],
    /wants shapes that differ on axis 1 only/,
  ],
  [
    'concat of ranks',
    { op: 'concat', ...two('c') },
    [
      [1, 2],
      [1, 2, 1],
    ],
    /wants shapes that differ on axis 1 only/,
  ],
  ['reshape', { op: 'reshape', ...one('r'), shape: [3, -1] }, [[2, 2, 9]], [2, 3, 6]],
  ['reshape, uneven', { op: 'reshape', ...one('r'), shape: [4, -1] }, [[2, 2, 9]], /cannot become \[4, -1\]/],
  ['reshape, short', { op: 'reshape', ...one('r'), shape: [4] }, [[2, 2, 9]], /cannot become \[4\]/],
  ['permute', { op: 'permute', ...one('t'), axes: [0, 3, 1, 2] }, [[1, 2, 3, 4]], [1, 4, 2, 3]],
  ['permute of others', { op: 'permute', ...one('t'), axes: [0, 2, 1] }, [[1, 2, 3, 4]], /has 3 axes/],
  ['thresholds', requantize('three'), [[1, 3, 2, 2]], [1, 3, 2, 2]],
  ['thresholds, one for all', requantize('one'), [[1, 9, 2, 2]], [1, 9, 2, 2]],
  ['thresholds of others', requantize('three'), [[1, 4, 2, 2]], /q \(requantize\): has rows for 3 channels/],
  ['fixed', fixed, [[2, 3]], [2, 3]],
  ['fixed of others', fixed, [[2, 4]], /f \(requantize\): has rows for 3 channels/],
  ['beyond memory', { op: 'upsample', ...one('u'), factor: 64 }, [[1, 8, 128, 128]], /u would have .* more than 2\^28/],
];

function linear() {
  return { weights: 'fc', weightBits: 4, accumulatorBits: null };
}

t.test('every node has a shape, or a reason', async (t) => {
  for (const [about, node, shapes, wanted] of CASES) {
    if (wanted instanceof RegExp) t.throws(() => shapeOf(node, shapes, tensors), wanted, about);
    else t.strictSame(shapeOf(node, shapes, tensors), wanted, about);
  }
});

t.test('inputs of other sizes go through, others do not', async (t) => {
  const graph = tinyGraph([tinyConv({ padding: [1, 1] }), { op: 'upsample', name: 'u', inputs: ['y'], factor: 2 }], {
    tensors: { w: alike([8, 2, 3, 3]) },
  });
  t.strictSame(
    [...inferShapes(graph)],
    [
      ['x', [1, 2, 4, 6]],
      ['y', [1, 8, 4, 6]],
      ['u', [1, 8, 8, 12]],
    ],
  );
  t.strictSame(inferShapes(graph, [5, 2, 3, 1]).get('u'), [5, 8, 6, 2]);
  for (const shape of [
    [1, 3, 4, 6],
    [2, 4, 6],
    [1, 2, 0, 6],
    [0, 2, 4, 6],
    [1, 2, 4.5, 6],
    [1, 2, Number.NaN, 6],
  ]) {
    t.throws(
      () => inferShapes(graph, shape),
      new DataError('graph', `inputs must be like [N, 2, 4, 6]; got [${shape.join(', ')}]`),
    );
  }
  t.throws(() => inferShapes(graph, [1, 2, 20000, 20000]), /x would have shape .* more than 2\^28 elements/);
});
