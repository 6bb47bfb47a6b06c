/** The page that runs networks in a browser, of the runtime's entry alone. */
import { createRuntime, loadNetwork, type Runtime } from '../../lib/runtime.js';
import { fromBase64, toBase64 } from './base64.js';

let runtime: Runtime | null = null;

const networks = {
  /** @returns what runs */
  async load(file: string, threads: number): Promise<string> {
    runtime = await createRuntime(loadNetwork(fromBase64(file)), { engine: 'wasm', threads });
    return runtime.name;
  },
  /** Integers in, integers out, as bytes. */
  async run(text: string, shape: readonly number[]): Promise<{ shape: readonly number[]; data: string } | null> {
    if (runtime === null) return null;
    const made = await runtime.run({ shape, data: new Int32Array(fromBase64(text).buffer) });
    const { buffer, byteOffset, byteLength } = made.data;
    return { shape: made.shape, data: toBase64(new Uint8Array(buffer, byteOffset, byteLength)) };
  },
};

declare global {
  var a2qExact: typeof networks;
}

globalThis.a2qExact = networks;

export { networks };
