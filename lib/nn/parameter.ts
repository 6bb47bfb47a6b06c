import { backendOf } from '../kernels/value.js';
import { ShapeError } from '../tensor/errors.js';
import { sameShape } from '../tensor/shape.js';
import { keep } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { asView, checkAlike, contiguousView, type View } from '../tensor/view.js';

/** A tensor that outlives every scope and whose memory may be overwritten: the state of a module. */
export abstract class StateTensor extends Tensor {
  /** @param value copied, so that no other tensor shares the memory */
  constructor(value: View) {
    super(keep(contiguousView(backendOf(asView('StateTensor', value)).copy(value).storage, value.shape)));
  }

  /**
   * Overwrites the numbers with those of a tensor of the same shape and dtype, without leaving the device.
   * @throws ShapeError, DTypeError or BackendError where they differ
   */
  assign(value: View): void {
    if (!sameShape(asView('assign', value).shape, this.shape)) {
      throw new ShapeError('assign', 'the new value must have the shape of the old', [value.shape, this.shape]);
    }
    checkAlike('assign', value.storage, this.storage);
    if (value.storage === this.storage) return;
    backendOf(this).copyInto(value, this);
    this.storage.overwritten();
  }
}

/** A learned tensor. */
export class Parameter extends StateTensor {
  constructor(value: View) {
    super(value);
    this.withGrad();
  }
}

/** A tensor that is state but not learned, such as a running mean. */
export class Buffer extends StateTensor {}

/** A number that is state and lives on the host, such as a step count; stored with the tensors. */
export class Counter {
  value: number;

  constructor(value = 0) {
    this.value = value;
  }
}
