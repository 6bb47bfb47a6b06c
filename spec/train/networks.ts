import type { LabelledDataset } from '../../lib/data/dataset.js';
import { identityNormalisation } from '../../lib/data/normalise.js';
import { Flatten } from '../../lib/nn/layers/activation.js';
import { Linear } from '../../lib/nn/layers/linear.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import { Random } from '../../lib/tensor/random.js';

/** `length` images of 1x1x2 pixels; image i holds (i, 1) and is of class i mod 2. */
export function pairs(length: number): LabelledDataset {
  return {
    kind: 'labels',
    name: 'pairs',
    length,
    inputShape: [1, 1, 2],
    normalisation: identityNormalisation(1),
    classes: ['even', 'odd'],
    write(index, input) {
      input.set([index, 1]);
      return index % 2;
    },
  };
}

/** Two inputs, two logits, all weights 0. */
export function zeroLinear(): Sequential {
  const linear = new Linear(2, 2, { random: new Random(0), bias: false });
  linear.weight.write(new Float32Array(4));
  return new Sequential(new Flatten(), linear);
}
