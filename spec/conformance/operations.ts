import { logSoftmax } from '../../lib/autograd/activations.js';
import { conv2d } from '../../lib/autograd/convolution.js';
import type { ConvOptions, Pair } from '../../lib/autograd/geometry.js';
import * as ops from '../../lib/autograd/ops.js';
import { avgPool2d, globalAvgPool2d, maxPool2d, type PoolOptions } from '../../lib/autograd/pooling.js';
import { pixelShuffle, upsampleNearest } from '../../lib/autograd/resample.js';
import { backward } from '../../lib/autograd/tape.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { crossEntropy, mse } from '../../lib/nn/loss.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { isArray, type Json, list, number, numbers, object, tensorOf, text } from './golden.js';
import { type Case, label, type Report } from './report.js';

type Inputs = Record<string, Tensor>;
type Operation = (inputs: Inputs, params: Json, entry: Json) => Tensor;

/** Golden cases by the name they begin with; `_broadcast`, `_at_zero`, `_rows` and numbers only vary the inputs. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  linear: ({ input, weight, bias }) => {
    const y = ops.matmul(input, ops.transpose(weight));
    return bias ? ops.add(y, bias) : y;
  },
  max_pool2d: ({ x }, p) => maxPool2d(x, pool(p)),
  avg_pool2d: ({ x }, p) => avgPool2d(x, pool(p)),
  global_avg_pool: ({ x }) => globalAvgPool2d(x),
  pixel_shuffle: ({ x }, p) => pixelShuffle(x, number(p, 'factor')),
  upsample_nearest: ({ x }, p) => upsampleNearest(x, number(p, 'factor')),
  cross_entropy: ({ logits }, _, entry) => crossEntropy(logits, numbers(object(entry, 'inputs'), 'target')),
  log_softmax: ({ x }, p) => logSoftmax(x, number(p, 'dim')),
  mse: ({ x, target }) => mse(x, target),
  add: ({ input, other }) => ops.add(input, other),
  sub: ({ input, other }) => ops.sub(input, other),
  mul: ({ input, other }) => ops.mul(input, other),
  div: ({ input, other }) => ops.div(input, other),
  neg: ({ input }) => ops.neg(input),
  exp: ({ input }) => ops.exp(input),
  log: ({ input }) => ops.log(input),
  tanh: ({ input }) => ops.tanh(input),
  sigmoid: ({ input }) => ops.sigmoid(input),
  square: ({ input }) => ops.square(input),
  pow2: ({ x }) => ops.exp2(x),
  log2: ({ input }) => ops.log2(input),
  sqrt: ({ input }) => ops.sqrt(input),
  relu: ({ input }) => ops.relu(input),
  abs: ({ input }) => ops.abs(input),
  clamp_max_tensor: ({ input, max }) => ops.minimum(input, max),
  clamp: ({ x }, p) => ops.clip(x, number(p, 'min'), number(p, 'max')),
  l1_norm: ({ x }, p) => ops.sum(ops.abs(x), { axes: number(p, 'dim'), keepDims: true }),
  mean: ({ x }, p) => ops.mean(x, { axes: number(p, 'dim'), keepDims: true }),
  sum_all: ({ input }) => ops.sum(input),
  max: ({ x }, p) => ops.max(x, { axes: number(p, 'dim') }),
  matmul: ({ input, other }) => ops.matmul(input, other),
  transpose: ({ x }) => ops.transpose(x),
};

function pool(params: Json): PoolOptions {
  const { kernel, stride, padding } = params as { kernel: Pair; stride: Pair; padding: Pair };
  return { kernel, stride, padding };
}

function operationOf(name: string): Operation | undefined {
  let key = name;
  while (!(key in OPERATIONS) && key.includes('_')) key = key.slice(0, key.lastIndexOf('_'));
  return OPERATIONS[key];
}

/** ops.json: plain operations, forward and backward. */
export async function checkOps(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'conv2d').entries()) {
    await report.run(label('ops', 'conv2d', i, entry), (check) =>
      checkOperation(check, entry, ({ x, w, b }, params) => conv2d(x, w, b ?? null, params as ConvOptions)),
    );
  }
  for (const [i, entry] of list(file, 'batch_norm').entries()) {
    await report.run(label('ops', 'batch_norm', i, entry), (check) => checkBatchNorm(check, entry));
  }
  for (const group of ['misc', 'elementwise']) {
    for (const [i, entry] of list(file, group).entries()) {
      const name = label('ops', group, i, entry);
      const operation = operationOf(text(entry, 'name'));
      if (operation) await report.run(name, (check) => checkOperation(check, entry, operation));
      else report.skip(name, 'no such operation here');
    }
  }
}

async function checkOperation(check: Case, entry: Json, operation: Operation): Promise<void> {
  const given = object(entry, 'inputs');
  const want = object(entry, 'grads');
  const inputs: Inputs = {};
  for (const [name, value] of Object.entries(given)) {
    if (!isArray(value) && typeof value !== 'number') continue;
    const x = tensorOf(given, name);
    inputs[name] = name in want ? x.withGrad() : x;
  }
  const params = (entry['params'] ?? {}) as Json;
  const y = operation(inputs, params, entry);
  await check.close('y', y, entry['y']);
  backward(y, tensorOf(entry, 'grad_out'));
  for (const [name, grad] of Object.entries(want)) {
    await check.close(`grad ${name}`, inputs[name].grad ?? new Float32Array(inputs[name].size), grad);
  }
}

async function checkBatchNorm(check: Case, entry: Json): Promise<void> {
  const params = object(entry, 'params');
  const given = object(entry, 'inputs');
  const norm = new BatchNorm2d(numbers(given, 'weight').length, {
    momentum: number(params, 'momentum'),
    epsilon: number(params, 'eps'),
  });
  norm.weight.assign(tensorOf(given, 'weight'));
  norm.bias.assign(tensorOf(given, 'bias'));
  norm.runningMean.assign(tensorOf(entry, 'running_mean_before'));
  norm.runningVar.assign(tensorOf(entry, 'running_var_before'));
  norm.train(params['training'] === true);
  const x = tensorOf(given, 'x').withGrad();
  const y = norm.forward(x);
  await check.close('y', y, entry['y']);
  await check.close('running_mean', norm.runningMean, entry['running_mean_after']);
  await check.close('running_var', norm.runningVar, entry['running_var_after']);
  backward(y, tensorOf(entry, 'grad_out'));
  const want = object(entry, 'grads');
  await check.close('grad x', x.grad ?? [], want['x']);
  await check.close('grad weight', norm.weight.grad ?? [], want['weight']);
  await check.close('grad bias', norm.bias.grad ?? [], want['bias']);
}
