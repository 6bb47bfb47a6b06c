import { accumulatorSamples } from './accumulatorWeights.js';
import { imageSamples, layoutSamples, linearSamples, reductionSamples } from './arrays.js';
import { batchNormSamples } from './batchNorm.js';
import { binarySamples, selectSamples, unarySamples } from './elementwise.js';
import { fakeQuantizeSample } from './fakeQuantize.js';
import type { Samples } from './sample.js';

export type { Edge, Point, Sample, Samples } from './sample.js';

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
  fakeQuantize: fakeQuantizeSample,
  ...accumulatorSamples,
};
