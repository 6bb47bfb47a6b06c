import t from 'tap';
import { mul, sum } from '../../lib/autograd/ops.js';
import { backward } from '../../lib/autograd/tape.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { clipGradNorm, clipGradValue } from '../../lib/nn/clip.js';
import { Parameter } from '../../lib/nn/parameter.js';
import { tensor, zeros } from '../../lib/tensor/create.js';
import { memory } from '../../lib/tensor/storage.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { backends } from './support.js';

/** Parameters with these gradients, and one without. */
function parametersWith(...gradients: number[][]): Parameter[] {
  const parameters = gradients.map((gradient) => {
    const parameter = new Parameter(zeros([gradient.length]));
    backward(sum(mul(parameter, tensor(gradient))));
    return parameter;
  });
  return [...parameters, new Parameter(zeros([3]))];
}

for (const { name, skip } of backends) {
  t.test(`gradients are clipped together on ${name}`, { skip }, async (t) => {
    const device = setBackend(backendNamed(name));
    const parameters = parametersWith([3, 0], [-4]);
    const before = memory(device).storages;
    t.equal(await clipGradNorm(parameters, 10).item(), 5);
    arraysEqual(t, (await parameters[0].grad?.data()) ?? [], [3, 0], 'small enough');
    t.equal(await clipGradNorm([...parameters, ...parameters], 1).item(), 5, 'each once');
    closeTo(t, (await parameters[1].grad?.data()) ?? [], [-0.8], 1e-6, 'scaled');
    t.equal(parameters[2].grad, null);
    clipGradValue(parameters, 0.5);
    closeTo(t, (await parameters[0].grad?.data()) ?? [], [0.5, 0], 1e-6, 'limited');
    closeTo(t, (await parameters[1].grad?.data()) ?? [], [-0.5], 1e-6, 'limited');
    t.ok(memory(device).storages <= before + 2, 'nothing but the two norms is left');
    t.equal(await clipGradNorm([parameters[2]], 1).item(), 0, 'no gradient');
  });
}

t.test('what clipping refuses', async (t) => {
  const [parameter] = parametersWith([1]);
  t.throws(() => clipGradNorm([parameter], -1), { message: 'clipGradNorm: maxNorm must be at least 0; it is -1' });
  t.throws(() => clipGradNorm([parameter], 1, { normType: 0.5 }), { name: 'A2QError', op: 'clipGradNorm' });
  t.throws(() => clipGradValue([parameter], Number.NaN), { message: /^clipGradValue: value must be at least 0/ });
  setBackend(backendNamed('wasm'));
  const both = [parameter, ...parametersWith([1])];
  setBackend(backendNamed('reference'));
  const elsewhere = parametersWith([1]);
  t.throws(() => clipGradNorm([...both, ...elsewhere], 1), { name: 'BackendError' });
});
