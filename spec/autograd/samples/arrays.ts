import { between, distinct, shaped } from '../support.js';
import type { Samples } from './sample.js';

const anywhere = (shape: number[], seed = 1) => between(-2, 2, shape, seed);

/** Rows that move numbers. */
export const layoutSamples: Pick<Samples, 'reshape' | 'permute' | 'expand' | 'slice' | 'pad' | 'concat'> = {
  reshape: {
    points: [
      { inputs: [anywhere([2, 6])], attrs: { shape: [3, 2, 2] } },
      { inputs: [anywhere([])], attrs: { shape: [1, 1] } },
    ],
    edges: [
      {
        inputs: [[1, 2, 3, 4]],
        attrs: { shape: [2, 2] },
        upstream: shaped([2, 2], [5, 6, 7, 8]),
        value: shaped([2, 2], [1, 2, 3, 4]),
        grads: [[5, 6, 7, 8]],
      },
    ],
  },
  permute: {
    points: [{ inputs: [anywhere([2, 3, 4])], attrs: { axes: [2, 0, 1] } }],
    edges: [
      {
        inputs: [shaped([2, 3], [1, 2, 3, 4, 5, 6])],
        attrs: { axes: [1, 0] },
        upstream: shaped([3, 2], [10, 20, 30, 40, 50, 60]),
        value: shaped([3, 2], [1, 4, 2, 5, 3, 6]),
        grads: [shaped([2, 3], [10, 30, 50, 20, 40, 60])],
      },
    ],
  },
  expand: {
    points: [{ inputs: [anywhere([3, 1])], attrs: { shape: [2, 3, 4] } }],
    edges: [
      {
        inputs: [shaped([2, 1], [1, 2])],
        attrs: { shape: [2, 3] },
        upstream: shaped([2, 3], [1, 2, 3, 4, 5, 6]),
        value: shaped([2, 3], [1, 1, 1, 2, 2, 2]),
        grads: [shaped([2, 1], [6, 15])],
      },
    ],
  },
  slice: {
    points: [
      { inputs: [anywhere([4, 5])], attrs: { axis: 1, start: 1, end: 5, step: 2 } },
      { inputs: [anywhere([4, 5])], attrs: { axis: 0, start: 1, end: 2, step: 1 } },
    ],
    edges: [
      {
        inputs: [[1, 2, 3, 4, 5]],
        attrs: { axis: 0, start: 1, end: 5, step: 2 },
        upstream: [7, 8],
        value: [2, 4],
        grads: [[0, 7, 0, 8, 0]],
      },
      { inputs: [[1, 2]], attrs: { axis: 0, start: 1, end: 1, step: 1 }, value: [], grads: [[0, 0]] },
    ],
  },
  pad: {
    points: [
      {
        inputs: [anywhere([2, 3])],
        attrs: {
          padding: [
            [1, 0],
            [2, 3],
          ],
          value: 7,
        },
      },
      { inputs: [anywhere([])], attrs: { padding: [], value: 0 } },
    ],
    edges: [
      {
        inputs: [[1, 2]],
        attrs: { padding: [[1, 2]], value: -1 },
        upstream: [9, 3, 4, 9, 9],
        value: [-1, 1, 2, -1, -1],
        grads: [[3, 4]],
      },
    ],
  },
  concat: {
    points: [{ inputs: [anywhere([2, 1]), anywhere([2, 3], 2), anywhere([2, 2], 3)], attrs: { axis: 1 } }],
    edges: [
      {
        inputs: [[1], [], [2, 3]],
        attrs: { axis: 0 },
        upstream: [4, 5, 6],
        value: [1, 2, 3],
        grads: [[4], [], [5, 6]],
      },
    ],
  },
};

/** Rows that collapse axes. */
export const reductionSamples: Pick<Samples, 'sum' | 'max' | 'argmax' | 'kthSmallest'> = {
  sum: {
    points: [
      { inputs: [anywhere([2, 3, 4])], attrs: { axes: [0, 2] } },
      { inputs: [anywhere([5])], attrs: { axes: [0] } },
    ],
    edges: [
      {
        inputs: [shaped([2, 2], [1, 2, 3, 4])],
        attrs: { axes: [1] },
        upstream: shaped([2, 1], [5, 6]),
        value: shaped([2, 1], [3, 7]),
        grads: [shaped([2, 2], [5, 5, 6, 6])],
      },
      {
        inputs: [shaped([2, 0], [])],
        attrs: { axes: [1] },
        value: shaped([2, 1], [0, 0]),
        grads: [shaped([2, 0], [])],
      },
    ],
  },
  max: {
    points: [
      { inputs: [distinct([2, 3, 4])], attrs: { axes: [1] } },
      { inputs: [distinct([2, 3, 4])], attrs: { axes: [0, 2] } },
    ],
    edges: [
      {
        inputs: [shaped([2, 3], [1, 3, 3, 2, 2, 0])],
        attrs: { axes: [1] },
        value: shaped([2, 1], [3, 2]),
        grads: [shaped([2, 3], [0, 1, 0, 1, 0, 0])],
      },
      {
        inputs: [shaped([2, 2], [0, 7, 7, 7])],
        attrs: { axes: [0, 1] },
        upstream: shaped([1, 1], [3]),
        value: shaped([1, 1], [7]),
        grads: [shaped([2, 2], [0, 3, 0, 0])],
      },
    ],
  },
  argmax: {
    points: [
      { inputs: [distinct([2, 3, 4])], attrs: { axes: [1] } },
      { inputs: [distinct([2, 3, 4])], attrs: { axes: [0, 2] } },
    ],
    edges: [
      {
        inputs: [shaped([3, 3], [1, 3, 3, Number.NEGATIVE_INFINITY, -9, -9, 5, Number.NaN, Number.NaN])],
        attrs: { axes: [1] },
        value: shaped([3, 1], [1, 1, 1]),
        grads: [null],
      },
      { inputs: [shaped([2, 2], [0, 1, 7, 7])], attrs: { axes: [0, 1] }, value: shaped([1, 1], [2]), grads: [null] },
      { inputs: [3], attrs: { axes: [] }, value: 0, grads: [null] },
    ],
  },
  kthSmallest: {
    points: [
      { inputs: [distinct([2, 5])], attrs: { k: 3 } },
      { inputs: [distinct([2, 5])], attrs: { k: 10 } },
      { inputs: [distinct([5, 8])], attrs: { k: 21 } },
    ],
    edges: [
      { inputs: [[5, 1, 3, 1]], attrs: { k: 2 }, upstream: 4, value: 1, grads: [[0, 4, 0, 0]] },
      { inputs: [[5, 1, 3, 1]], attrs: { k: 4 }, value: 5, grads: [[1, 0, 0, 0]] },
      { inputs: [[Number.NaN, 5, Number.NaN, Infinity]], attrs: { k: 2 }, value: Infinity, grads: [[0, 0, 0, 1]] },
      { inputs: [[5, Number.NaN, 3, Number.NaN]], attrs: { k: 3 }, value: Number.NaN, grads: [[0, 1, 0, 0]] },
    ],
  },
};

const plain = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;

/** Rows an accumulator carries out. */
export const linearSamples: Pick<Samples, 'matmul' | 'conv2d'> = {
  matmul: {
    points: [{ inputs: [anywhere([2, 3, 4]), anywhere([2, 4, 5], 2)], attrs: {} }],
    edges: [
      {
        inputs: [shaped([1, 1, 2], [1, 2]), shaped([1, 2, 1], [3, 4])],
        attrs: {},
        value: shaped([1, 1, 1], [11]),
        grads: [shaped([1, 1, 2], [3, 4]), shaped([1, 2, 1], [1, 2])],
      },
    ],
  },
  conv2d: {
    points: [
      { inputs: [anywhere([2, 3, 5, 4]), anywhere([4, 3, 3, 2], 2)], attrs: { ...plain, groups: 1 } },
      {
        inputs: [anywhere([2, 4, 6, 5]), anywhere([6, 2, 3, 3], 2)],
        attrs: { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 },
      },
      { inputs: [anywhere([1, 3, 5, 5]), anywhere([3, 1, 3, 3], 2)], attrs: { ...plain, padding: [1, 1], groups: 3 } },
    ],
    edges: [
      {
        inputs: [shaped([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]), shaped([1, 1, 2, 2], [1, 0, 0, -1])],
        attrs: { ...plain, groups: 1 },
        value: shaped([1, 1, 2, 2], [-4, -4, -4, -4]),
        grads: [shaped([1, 1, 3, 3], [1, 1, 0, 1, 0, -1, 0, -1, -1]), shaped([1, 1, 2, 2], [12, 16, 24, 28])],
      },
    ],
  },
};

/** Rows with a kernel of their own. */
export const imageSamples: Pick<Samples, 'maxPool2d' | 'upsampleNearest'> = {
  maxPool2d: {
    points: [
      { inputs: [distinct([2, 2, 5, 6])], attrs: { ...plain, kernel: [2, 2], stride: [2, 2] } },
      { inputs: [distinct([1, 2, 5, 5])], attrs: { ...plain, kernel: [3, 3], stride: [1, 2], padding: [1, 1] } },
    ],
    edges: [
      {
        inputs: [shaped([1, 1, 2, 2], [1, 1, 1, 1])],
        attrs: { ...plain, kernel: [2, 2] },
        upstream: shaped([1, 1, 1, 1], [5]),
        value: shaped([1, 1, 1, 1], [1]),
        grads: [shaped([1, 1, 2, 2], [5, 0, 0, 0])],
      },
      {
        inputs: [shaped([1, 1, 2, 2], [3, Number.NaN, 1, Number.NaN])],
        attrs: { ...plain, kernel: [2, 2] },
        value: shaped([1, 1, 1, 1], [Number.NaN]),
        grads: [shaped([1, 1, 2, 2], [0, 1, 0, 0])],
      },
      {
        inputs: [shaped([1, 1, 2, 2], [-1, -2, -3, -4])],
        attrs: { ...plain, kernel: [2, 2], stride: [2, 2], padding: [1, 1] },
        value: shaped([1, 1, 2, 2], [-1, -2, -3, -4]),
        grads: [shaped([1, 1, 2, 2], [1, 1, 1, 1])],
      },
    ],
  },
  upsampleNearest: {
    points: [{ inputs: [anywhere([2, 2, 2, 3])], attrs: { factor: 3 } }],
    edges: [
      {
        inputs: [shaped([1, 1, 1, 2], [1, 2])],
        attrs: { factor: 2 },
        upstream: shaped([1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8]),
        value: shaped([1, 1, 2, 4], [1, 1, 2, 2, 1, 1, 2, 2]),
        grads: [shaped([1, 1, 1, 2], [14, 22])],
      },
    ],
  },
};
