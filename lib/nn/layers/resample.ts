import type { Pair } from '../../autograd/geometry.js';
import { pixelShuffle, upsampleNearest } from '../../autograd/resample.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

/** Each pixel repeated, `[N, C, H, W] → [N, C, fh·H, fw·W]`; one factor for both directions, or `[fh, fw]`. */
export class UpsampleNearest extends Module {
  constructor(readonly factor: Pair) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return upsampleNearest(x, this.factor);
  }
}

/** Channels become sub-pixels, `[N, C·factor², H, W] → [N, C, factor·H, factor·W]` (Shi et al. 2016). */
export class PixelShuffle extends Module {
  constructor(readonly factor: number) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.factor);
  }
}
