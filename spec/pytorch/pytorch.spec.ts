import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import * as a2q from '../../lib/index.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { closeTo } from '../helpers.js';
import { backends } from '../nn/support.js';

/** Numbers of a case; JSON has neither infinities nor NaN, so these are text. */
interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly (number | 'inf' | '-inf' | 'nan')[];
}

/** What PyTorch made of some inputs: see make.py, which wrote them. */
interface Case {
  readonly name: keyof typeof CALLS;
  readonly inputs: readonly Numbers[];
  // biome-ignore lint/suspicious/noExplicitAny: the settings of any function
  readonly args: any;
  readonly y: Numbers;
  readonly upstream?: Numbers;
  readonly grads?: readonly (Numbers | null)[];
}

const SPECIAL = { inf: Number.POSITIVE_INFINITY, '-inf': Number.NEGATIVE_INFINITY, nan: Number.NaN };
const plain = ({ data }: Numbers) => data.map((x) => (typeof x === 'number' ? x : SPECIAL[x]));

/** How each function is called. The tensors take the dtype of the case's own. */
const CALLS = {
  softmax: ([x], { axis }) => a2q.softmax(x, axis),
  logSoftmax: ([x], { axis }) => a2q.logSoftmax(x, axis),
  argmax: ([x], { axis, keepDims }) => a2q.argmax(x, axis === undefined ? {} : { axes: axis, keepDims }),
  stack: (xs, { axis }) => a2q.stack(xs, axis),
  split: ([x], { parts, axis, part }) => a2q.split(x, parts, axis)[part],
  pad: ([x], { padding, value }) => a2q.pad(x, padding, value),
  erf: ([x]) => a2q.erf(x),
  silu: ([x]) => a2q.silu(x),
  gelu: ([x], { approximate }) => a2q.gelu(x, approximate),
  pow: ([x, y], { exponent }) => a2q.pow(x, exponent ?? y),
  matmul: ([x, y]) => a2q.matmul(x, y),
  layerNorm: ([x, weight, bias], { shape, epsilon }) => a2q.layerNorm(x, shape, weight, bias, epsilon),
  conv1d: ([x, w, bias], options) => a2q.conv1d(x, w, bias, options),
  conv2d: ([x, w, bias], options) => a2q.conv2d(x, w, bias, options),
  maxPool2d: ([x], options) => a2q.maxPool2d(x, options),
  avgPool2d: ([x], options) => a2q.avgPool2d(x, options),
  upsampleNearest: ([x], { factor }) => a2q.upsampleNearest(x, factor),
  crossEntropy: ([x], { labels, probabilities, ...options }) =>
    a2q.crossEntropy(x, labels ?? like(probabilities, x), options),
  mse: ([x, target], options) => a2q.mse(x, target, options),
  clipGradNorm: (grads, { maxNorm, normType }) => {
    const parameters = grads.map((grad) => Object.assign(new a2q.Parameter(a2q.zeros(grad.shape)), { grad }));
    const norm = a2q.clipGradNorm(parameters, maxNorm, { normType: normType === 'inf' ? SPECIAL.inf : normType });
    return a2q.concat([norm, ...grads].map((x) => a2q.reshape(x, [-1])));
  },
  Adam: (tensors, options) => optimized((p) => new a2q.Adam([p], { learningRate: 0.05, ...options }), tensors),
  AdamW: (tensors, options) => optimized((p) => new a2q.AdamW([p], { learningRate: 0.05, ...options }), tensors),
  SGD: (tensors, options) => optimized((p) => new a2q.SGD([p], { learningRate: 0.05, ...options }), tensors),
} satisfies Record<string, (inputs: Tensor[], args: Case['args']) => Tensor>;

function like(numbers: Numbers, x: Tensor): Tensor {
  return a2q.tensor(plain(numbers), numbers.shape, { dtype: x.dtype, device: x.device });
}

/** A parameter after one step for each gradient. */
function optimized(make: (parameter: a2q.Parameter) => a2q.Optimizer, [start, ...grads]: Tensor[]): Tensor {
  const parameter = new a2q.Parameter(start);
  const optimizer = make(parameter);
  for (const grad of grads) {
    parameter.grad = grad;
    optimizer.step();
  }
  return parameter;
}

const path = fileURLToPath(new URL('../../../spec/pytorch/cases.jsonl', import.meta.url));
const cases = readFileSync(path, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line): Case => JSON.parse(line));

t.strictSame(
  [...new Set(cases.map(({ name }) => name))].sort(),
  Object.keys(CALLS).sort(),
  'every function has cases, and every case a function',
);

for (const { name: backend, skip } of backends) {
  t.test(`values and gradients are those of PyTorch on ${backend}`, { skip }, async (t) => {
    a2q.setBackend(a2q.backendNamed(backend));
    const [dtype, tolerance] = backend === 'reference' ? (['float64', 1e-11] as const) : (['float32', 4e-6] as const);
    for (const { name, inputs, args, y: want, upstream, grads } of cases) {
      const label = `${name} ${JSON.stringify(args).slice(0, 80)}`;
      const leaves = inputs.map((each) => a2q.tensor(plain(each), each.shape, { dtype }).withGrad());
      const y = CALLS[name](leaves, args);
      t.strictSame(y.shape, want.shape, `${label}: shape`);
      closeTo(t, await y.data(), plain(want), tolerance, label);
      if (!upstream || !grads) continue;
      y.backward(a2q.tensor(plain(upstream), upstream.shape, { dtype }));
      for (const [i, grad] of grads.entries()) {
        const got = leaves[i].grad;
        if (grad) closeTo(t, (await got?.data()) ?? [], plain(grad), tolerance, `${label}: gradient ${i}`);
      }
    }
  });
}
