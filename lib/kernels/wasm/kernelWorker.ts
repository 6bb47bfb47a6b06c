/** The script of a helper. The build makes it self-contained, as a file and as a string (scripts/build-worker.mjs). */
import { type AnyKernel, CONTROL, controlOn, SPIN, waitWhile, work } from './team.js';

/** What a worker is sent once, at its start. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  /** Kernels by number. */
  readonly names: readonly string[];
  /** 1 for the first worker; 0 is the thread that started it. */
  readonly thread: number;
}

/** Serves jobs for ever; the thread ends with its owner. */
function serve(start: WorkerStart, announce: () => void): void {
  const instance = new WebAssembly.Instance(start.module, { env: { memory: start.memory } });
  const kernels = start.names.map((name) => instance.exports[name] as AnyKernel);
  const control = controlOn(start.control);
  const { words } = control;
  Atomics.add(words, CONTROL.ready, 1);
  announce();
  for (;;) {
    const generation = Atomics.load(words, CONTROL.generation);
    work(control, kernels, start.thread);
    waitWhile(control, CONTROL.generation, generation, SPIN.helper, () => {
      Atomics.add(words, CONTROL.sleepers, 1);
      Atomics.wait(words, CONTROL.generation, generation);
      Atomics.sub(words, CONTROL.sleepers, 1);
    });
  }
}

const node = globalThis.process?.getBuiltinModule?.('node:worker_threads');
if (node) {
  const { parentPort } = node;
  parentPort?.once('message', (start: WorkerStart) => serve(start, () => parentPort.postMessage('ready')));
} else {
  globalThis.onmessage = ({ data }: MessageEvent<WorkerStart>) => serve(data, () => globalThis.postMessage('ready'));
}
