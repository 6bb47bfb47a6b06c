import { add, div, mean, sub } from '../autograd/ops.js';
import { noGrad } from '../autograd/tape.js';
import { asModule, type Module } from '../nn/module.js';
import { Parameter } from '../nn/parameter.js';
import { asFunction, asOptions } from '../tensor/argument.js';
import { full } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { dispose, keep, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ActivationQuantizer } from './activation.js';
import { activationQuantizers, type QuantLayer, quantLayers } from './layers.js';

/** Batches of inputs `[N, …]`. The caller owns (and may free) each after the next has been asked for. */
export type Batches = Iterable<Tensor> | AsyncIterable<Tensor>;

/**
 * Activation calibration: runs batches through the model in evaluation mode with unquantized activations, keeps a
 * running percentile of every |x|, and makes it the threshold that training then learns.
 *
 * @returns number of batches
 * @throws DataError if there are none
 */
export async function calibrateActivations(model: Module, batches: Batches): Promise<number> {
  return runUnquantized(model, batches, { op: 'calibrateActivations', training: false }, (quantizer, count) => {
    if (count > 0) quantizer.finishStats();
  });
}

/**
 * Runs batches through a model whose activations stay unquantized, and are measured.
 * @param end what becomes of a quantizer's statistics after `count` batches; called even if a batch fails
 * @returns number of batches
 * @throws DataError if there are none
 */
export async function runUnquantized(
  model: Module,
  batches: Batches,
  { op, training }: { readonly op: string; readonly training: boolean },
  end: (quantizer: ActivationQuantizer, count: number) => void,
): Promise<number> {
  const quantizers = [...activationQuantizers(model)].map(([, quantizer]) => quantizer);
  const wasTraining = model.training;
  model.train(training);
  for (const quantizer of quantizers) {
    quantizer.restartStats();
    quantizer.calibrating = true;
  }
  let count = 0;
  try {
    for await (const batch of batches) {
      scope(() => noGrad(() => void model.forward(batch)));
      count += 1;
    }
  } finally {
    for (const quantizer of quantizers) {
      quantizer.calibrating = false;
      end(quantizer, count);
    }
    model.train(wasTraining);
  }
  if (count === 0) throw new DataError(op, 'needs at least one batch');
  return count;
}

/**
 * Bias correction (Nagel et al. 2019): quantizing the weights of a layer shifts the mean of its outputs; the shift, per
 * channel on the same quantized inputs, is taken off the bias. It goes front to back, on corrected inputs.
 *
 * @param batches called once per layer; must give the same batches each time
 * @param options.addBiases whether a layer without a bias gets one (default) or is left as it is
 */
export async function correctBias(
  model: Module,
  batches: () => Batches,
  options: { readonly addBiases?: boolean } = {},
): Promise<void> {
  const { addBiases = true } = asOptions('correctBias', options);
  asFunction('correctBias', 'batches', batches);
  const wasTraining = asModule('correctBias', model).training;
  model.eval();
  try {
    for (const [, layer] of quantLayers(model)) {
      if (layer.bias === null && !addBiases) continue;
      const shift = await meanShift(model, layer, batches());
      const bias = layer.bias ?? scope(() => new Parameter(full([layer.weight.shape[0]], 0)));
      const corrected = scope(() => noGrad(() => sub(bias, shift)));
      bias.assign(corrected);
      layer.bias = bias;
      dispose(corrected, shift);
    }
  } finally {
    model.train(wasTraining);
  }
}

/** Mean over batches and positions of (quantized − float) output, `[O]`. */
async function meanShift(model: Module, layer: QuantLayer, batches: Batches): Promise<Tensor> {
  let total: Tensor | null = null;
  let count = 0;
  const onCall = (_: QuantLayer, x: Tensor) => {
    const shift = scope(() =>
      noGrad(() => {
        const difference = sub(layer.multiply(x, layer.quantWeight().value), layer.multiply(x, layer.weight));
        const axes = difference.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
        const own = mean(difference, { axes });
        return total ? add(total, own) : own;
      }),
    );
    dispose(total);
    total = keep(shift);
    count += 1;
  };
  layer.observer = onCall;
  try {
    for await (const batch of batches) scope(() => noGrad(() => void model.forward(batch)));
  } finally {
    layer.observer = null;
  }
  if (total === null) throw new DataError('correctBias', 'needs at least one batch that reaches every layer');
  const sum: Tensor = total;
  const shift = keep(scope(() => noGrad(() => div(sum, count))));
  dispose(sum);
  return shift;
}
