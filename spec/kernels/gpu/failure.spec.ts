import t from 'tap';
import { failureOf } from '../../../lib/kernels/gpu/failure.js';
import type { CompiledKernel } from '../../../lib/kernels/gpu/gpujs.js';
import { inTextures } from '../../../lib/kernels/gpu/textures.js';
import { BackendError } from '../../../lib/tensor/errors.js';

t.test('what went wrong says what to do', (t) => {
  const says = (reason: string) => failureOf('gpu:webgpu', new Error(reason)).message;
  t.equal(
    says('WebGPU device was lost; call kernel.destroy()'),
    'gpu:webgpu: the device was lost, and all tensors on it; start the backend anew ' +
      '(WebGPU device was lost; call kernel.destroy())',
  );
  t.match(
    says('vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY\n - While'),
    /no room; .*smaller batch \(vk[\w ]*\)$/,
  );
  t.match(says('could not allocate memory'), /no room/);
  t.equal(says('unexpected token'), 'gpu:webgpu: a kernel failed (unexpected token)');
  const own = new BackendError('gpu', 'as it is');
  t.equal(failureOf('gpu:webgpu', own), own);
  t.end();
});

t.test('a WebGL context is asked whether it is lost or full', async (t) => {
  const state = { lost: false, error: 0 };
  const context = { isContextLost: () => state.lost, getError: () => state.error };
  const texture = { toArray: () => Float32Array.of(1, 2), delete: () => undefined };
  const kernel = Object.assign(() => texture, { kernel: { constructor: Object, context }, destroy: () => undefined });
  const start = () => {
    const executor = inTextures();
    return { executor, value: executor.run(kernel as CompiledKernel, [], [], 1) };
  };
  const { executor, value } = start();
  t.same(await executor.read(value), Float32Array.of(1, 2));
  t.equal(executor.failure, null);
  state.error = 0x0505;
  const full = {
    name: 'BackendError',
    message: 'gpu:webgl2: the device has no room; start the backend anew, with a smaller batch',
  };
  await t.rejects(executor.read(value), full);
  t.match(executor.failure, full, 'for good: what is on the device may be anything');
  const other = start();
  state.error = 0;
  state.lost = true;
  const lost = { name: 'BackendError', message: /the device was lost/ };
  t.match(other.executor.failure, lost, 'known before anything is read');
  await t.rejects(other.executor.read(other.value), lost);
});
