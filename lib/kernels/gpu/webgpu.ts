import { BackendError } from '../../tensor/errors.js';

/** What tells one adapter from another, where it says. */
export interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

/** The part of a WebGPU entry point that is used here. */
interface WebGpu {
  requestAdapter(): Promise<{ readonly info?: AdapterInfo } | null>;
}

/** What the package `webgpu` exports: Dawn, Chromium's WebGPU, for Node. */
interface DawnModule {
  create(options: readonly string[]): WebGpu;
  readonly globals: object;
}

function provided(): WebGpu | undefined {
  return (globalThis as { navigator?: { gpu?: WebGpu } }).navigator?.gpu;
}

/**
 * Finds an adapter: the page's, or in Node that of the package `webgpu`, put at `navigator.gpu`, where gpu.js looks.
 * @throws BackendError if there is no WebGPU here, or no adapter behind it
 */
export async function findAdapter(): Promise<AdapterInfo> {
  if (!provided()) await provideInNode();
  const adapter = await provided()?.requestAdapter();
  if (!adapter) {
    throw new BackendError(
      'gpu:webgpu',
      'no adapter answers; a graphics driver with Vulkan, Metal or Direct3D 12 is needed, or choose another backend',
    );
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info ?? {};
  return {
    ...(vendor ? { vendor } : {}),
    ...(architecture ? { architecture } : {}),
    ...(description ? { description } : {}),
    ...(isFallbackAdapter === undefined ? {} : { isFallbackAdapter }),
  };
}

async function provideInNode(): Promise<void> {
  if (typeof process === 'undefined' || !process.versions?.['node']) {
    throw new BackendError('gpu:webgpu', 'this browser has no WebGPU');
  }
  let dawn: DawnModule;
  try {
    // A variable keeps bundlers from looking for a package that pages never need.
    const name: string = 'webgpu';
    dawn = (await import(/* webpackIgnore: true */ name)) as DawnModule;
  } catch (cause) {
    throw new BackendError('gpu:webgpu', 'Node has no WebGPU of its own; npm i webgpu', { cause });
  }
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const { navigator } = globalThis as { navigator?: object };
  if (navigator) Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  else Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true, writable: true });
}

/** True if an adapter computes on the CPU: right, but no faster. */
export function isSoftware(info: AdapterInfo): boolean {
  if (info.isFallbackAdapter) return true;
  return /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(`${info.architecture} ${info.description}`);
}
