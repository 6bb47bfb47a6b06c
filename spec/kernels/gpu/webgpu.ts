import t from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import type { Content, Handle } from '../../../lib/kernels/gpu/content.js';
import { createGpuBackend, type GpuBackend, VARIANTS } from '../../../lib/kernels/gpu/index.js';
import { setBackend, startBackend } from '../../../lib/kernels/registry.js';
import { BackendError } from '../../../lib/tensor/errors.js';
import { dispose, Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { noGoldenFiles, passesGoldenFiles } from '../../goldenFiles.js';
import { attack } from '../../quant/guarantee.js';
import { deviceConformance } from '../conformance/device.js';
import { edgeConformance } from '../conformance/edges.js';
import { Subject } from '../conformance/subject.js';
import { conformance } from '../conformance.js';
import { sameBits } from './variants.js';

/**
 * What gpu:webgpu must pass, run in a process of its own whose environment names the driver: memory and edges, every
 * golden file with its training runs, variants, failures. With A2Q_GPU_SPECS=full also the rest of the kernel
 * conformance, which takes minutes on a software adapter.
 */

const full = process.env['A2Q_GPU_SPECS'] === 'full';

async function start(): Promise<Backend | string> {
  try {
    return await startBackend('gpu:webgpu');
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

const backend = await start();
if (typeof backend === 'string') {
  t.pass('gpu:webgpu', { skip: backend });
} else {
  const describe = () => (backend as Backend & GpuBackend).describe();
  t.setTimeout(1_200_000);
  const { adapter, software } = describe();
  t.comment(`adapter: ${JSON.stringify(adapter)}, ${software ? 'software' : 'hardware'}`);
  t.equal(backend.name, 'gpu:webgpu');

  if (full) {
    await conformance(t, backend);
  } else {
    t.comment('skipped: the rest of the kernel conformance, which takes minutes here; set A2Q_GPU_SPECS=full');
    await t.test('memory', (t) => deviceConformance(t, backend));
    await t.test('edges', (t) => edgeConformance(t, new Subject(backend, 'float32')));
  }

  await t.test('no channel of 300 overflows its register', async (t) => {
    setBackend(backend);
    const { passed, failures } = await attack({ seed: 2, cases: 300, weights: 2000 });
    t.same(failures.slice(0, 5), []);
    t.ok(passed > 200, `${passed} passed`);
  });

  await t.test('golden files of Brevitas and PyTorch', { skip: noGoldenFiles }, (t) => passesGoldenFiles(t, backend));

  await t.test('steps that are not waited for leave nothing on the device', async (t) => {
    // Anew: what the golden runs left behind is freed whenever the collector gets to it.
    const fresh = await createGpuBackend({ mode: 'webgpu' });
    await fresh.finished();
    const before = fresh.describe().arrays;
    const ones = new Float32Array(70_000).fill(1);
    const parameter = contiguousView(Storage.alloc(fresh, ones.length, 'float32', ones), [ones.length]);
    const options = { learningRate: 0.25, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0, first: false };
    for (let step = 0; step < 100; step++) {
      scope(() => {
        const gradient = fresh.unary('square', parameter);
        return fresh.fast?.sgd?.([{ parameter, gradient, velocity: null }], options);
      });
    }
    let want = 1;
    for (let step = 0; step < 100; step++) want = Math.fround(want - Math.fround(0.25 * Math.fround(want * want)));
    const got = await fresh.read(parameter.storage.handle, ones.length, 'float32');
    t.ok(
      got.every((x) => Math.abs(x - want) < 1e-6),
      `100 steps from 1 lead to ${want}`,
    );
    dispose({ storage: parameter.storage });
    await fresh.finished();
    t.equal(fresh.describe().arrays, before);
  });

  await t.test('variants give the same bits', async (t) => {
    const [plain, ...others] = await Promise.all(
      VARIANTS.map((variant) => createGpuBackend({ mode: 'webgpu', variant })),
    );
    await sameBits(t, plain, others, full ? 'all' : 'few');
  });

  const deviceOf = async (on: Backend): Promise<GpuDevice> => {
    const { storage } = on.fill([1], 1, 'float32');
    const { buffer } = ((storage.handle as Handle).content as Content).value as {
      buffer: Promise<{ context: { device: GpuDevice } }>;
    };
    const { device } = (await buffer).context;
    storage.dispose();
    return device;
  };
  const read = ({ storage }: View) => storage.device.read(storage.handle, storage.length, 'float32');

  for (const [name, harm, message] of [
    ['no memory left', exhaust, /the device has no room; start the backend anew, with a smaller batch \(/],
    [
      'a lost device',
      async (device: GpuDevice) => device.destroy(),
      /the device was lost, and all tensors on it; start/,
    ],
  ] as const) {
    await t.test(`${name}: what is under way and what comes after fails, and a new start mends it`, async (t) => {
      const hurt = (await startBackend('gpu:webgpu')) as Backend & GpuBackend;
      t.equal(hurt.failure, null);
      const x = hurt.fill([1000], 3, 'float32');
      const squares = hurt.unary('square', x);
      const ready = await deviceOf(hurt);
      const pending = read(squares).catch((error: unknown) => error);
      await harm(ready);
      const outcome = await pending;
      t.ok(outcome instanceof BackendError || (outcome as Float32Array)[0] === 9, 'either done before, or failed');
      await t.rejects(read(squares), { name: 'BackendError', message });
      t.throws(() => hurt.unary('exp', x), { name: 'BackendError', message });
      t.throws(() => hurt.fill([4], 1, 'float32'), { name: 'BackendError', message });
      t.match(hurt.failure, { name: 'BackendError', message });
      const anew = await startBackend('gpu:webgpu');
      t.not(anew, hurt);
      const nine = anew.unary('square', anew.fill([1000], 3, 'float32'));
      t.equal((await read(nine))[999], 9);
    });
  }
}

/** The part of a `GPUDevice` that does harm. */
interface GpuDevice {
  readonly limits: { readonly maxBufferSize: number };
  createBuffer(settings: { readonly size: number; readonly usage: number }): { destroy(): void };
  destroy(): void;
}

/** Asks for the largest buffers there can be until the device refuses, at most a terabyte of them, untouched. */
async function exhaust(device: GpuDevice): Promise<void> {
  const buffers: { destroy(): void }[] = [];
  let refused = false;
  (device as unknown as EventTarget).addEventListener('uncapturederror', () => {
    refused = true;
  });
  while (!refused && buffers.length < 1024) {
    buffers.push(device.createBuffer({ size: device.limits.maxBufferSize, usage: 0x80 }));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const buffer of buffers) buffer.destroy();
}
