import { type GeluApproximation, gelu, silu, softmax } from '../../autograd/activations.js';
import { checkApproximation } from '../../autograd/checks.js';
import type { NormFollower } from '../../autograd/normalization.js';
import { relu, reshape } from '../../autograd/ops.js';
import { ShapeError } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

/** An elementwise activation. Where it stands behind a batch norm the two can be one pass over memory: see `chain`. */
export abstract class Activation extends Module {
  abstract override forward(x: Tensor): Tensor;

  /** What a batch norm may apply to its result in place of `forward`; null if `forward` has to run at this moment. */
  follower(): NormFollower | null {
    return null;
  }
}

/** `max(x, 0)`, elementwise. */
export class ReLU extends Activation {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }

  override follower(): NormFollower {
    return 'relu';
  }
}

/** `x·Φ(x)`, elementwise: see `gelu`. */
export class GELU extends Activation {
  /** @throws A2QError for another approximation */
  constructor(readonly approximate: GeluApproximation = 'none') {
    super();
    checkApproximation('GELU', approximate);
  }

  override forward(x: Tensor): Tensor {
    return gelu(x, this.approximate);
  }
}

/** `x·sigmoid(x)`, elementwise: see `silu`. */
export class SiLU extends Activation {
  override forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** `eˣ / Σ eˣ` along an axis, by default the last. */
export class Softmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
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
