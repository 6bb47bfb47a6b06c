import type { FastPaths } from '../fast.js';
import type { WinogradChoice } from './choices.js';
import { convolutionKernels } from './convolution.js';
import { dequantizeKernel } from './dequantize.js';
import type { Machine } from './machine.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizers.js';
import { poolingKernels } from './pooling.js';
import { reductionKernels } from './reduction.js';
import { weightKernels } from './weights.js';

/** Which row is sped up by which kernels. */
export function fastPaths(machine: Machine, winograd: WinogradChoice): FastPaths {
  const { conv2d, conv2dInputGrad, conv2dWeightGrad } = convolutionKernels(machine, winograd);
  return {
    conv2d: {
      value: ([x, w], geometry) => conv2d(x, w, geometry),
      vjp: [
        (g, s) => conv2dInputGrad(g, s.input(1), s.shapes[0], s.attrs),
        (g, s) => conv2dWeightGrad(g, s.input(0), s.shapes[1], s.attrs),
      ],
    },
    kthSmallest: reductionKernels(machine).kthSmallest,
    ...poolingKernels(machine).fast,
    ...normalizationKernels(machine),
    ...weightKernels(machine),
    ...dequantizeKernel(machine),
    ...optimizerKernels(machine),
  };
}
