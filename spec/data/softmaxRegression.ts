import type { LabelBatch } from '../../lib/data/dataset.js';

/**
 * A linear classifier in plain loops: softmax regression by stochastic gradient descent with a falling step.
 *
 * @returns a function giving its accuracy on a batch
 */
export function trainSoftmaxRegression(
  train: LabelBatch,
  classes: number,
  { epochs, rate, batchSize }: { epochs: number; rate: number; batchSize: number },
): (test: LabelBatch) => number {
  const features = train.inputs.length / train.size;
  const weights = new Float64Array(classes * (features + 1));
  const gradient = new Float64Array(weights.length);
  const scores = new Float64Array(classes);

  const predict = (batch: LabelBatch, row: number) => {
    for (let c = 0; c < classes; c++) {
      const w = c * (features + 1);
      let sum = weights[w + features];
      for (let i = 0, x = row * features; i < features; i++, x++) sum += weights[w + i] * batch.inputs[x];
      scores[c] = sum;
    }
  };

  for (let epoch = 0; epoch < epochs; epoch++) {
    const step = (rate * (1 - epoch / epochs)) / batchSize;
    for (let row = 0; row < train.size; row++) {
      predict(train, row);
      const largest = Math.max(...scores);
      let total = 0;
      for (let c = 0; c < classes; c++) total += Math.exp(scores[c] - largest);
      for (let c = 0; c < classes; c++) {
        const error = Math.exp(scores[c] - largest) / total - (c === train.targets[row] ? 1 : 0);
        const w = c * (features + 1);
        for (let i = 0, x = row * features; i < features; i++, x++) gradient[w + i] += error * train.inputs[x];
        gradient[w + features] += error;
      }
      if ((row + 1) % batchSize === 0) {
        for (let i = 0; i < weights.length; i++) weights[i] -= step * gradient[i];
        gradient.fill(0);
      }
    }
  }

  return (test) => {
    let hits = 0;
    for (let row = 0; row < test.size; row++) {
      predict(test, row);
      if (scores.indexOf(Math.max(...scores)) === test.targets[row]) hits++;
    }
    return hits / test.size;
  };
}
