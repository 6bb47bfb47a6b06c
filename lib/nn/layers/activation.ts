import { relu, reshape } from '../../autograd/ops.js';
import { ShapeError } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

/** `max(x, 0)`, elementwise. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** `x` itself: a place where nothing happens, such as a shortcut without a convolution. */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}

/** All axes but the first become one, `[N, …] → [N, features]`. */
export class Flatten extends Module {
  override forward(x: Tensor): Tensor {
    if (x.rank < 1) throw new ShapeError('Flatten', 'x must have a batch axis', [x.shape]);
    return reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
  }
}
