import { imageSamples, layoutSamples, linearSamples, reductionSamples } from './arrays.js';
import { batchNormSamples } from './batchNorm.js';
import { binarySamples, selectSamples, unarySamples } from './elementwise.js';
import { quantizationSamples } from './quantization.js';
import type { Samples } from './sample.js';

export { a2qSamples } from './a2q.js';
export type { Edge, Point, Sample } from './sample.js';

/** The compiler reports a row without a sample, and a sample without a row. */
export const samples: Samples = {
  ...unarySamples,
  ...binarySamples,
  ...selectSamples,
  ...layoutSamples,
  ...reductionSamples,
  ...linearSamples,
  ...imageSamples,
  ...batchNormSamples,
  ...quantizationSamples,
};
