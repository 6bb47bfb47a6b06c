import { encodeNetwork } from '../../lib/deploy/graph/file.js';
import type { IntegerGraph } from '../../lib/deploy/graph/graph.js';
import { createRuntime } from '../../lib/deploy/runtime/createRuntime.js';
import type { Runtime } from '../../lib/deploy/runtime/runtime.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { fromBase64, toBase64 } from './base64.js';
import { openRuntimePage } from './chromium.js';

/** Engines and their threads, here and in a page. */
export const ENGINES: readonly string[] = ['reference', 'wasm:1', 'wasm:2', 'chromium:1', 'chromium:2'];

type Started = Pick<Runtime, 'name' | 'run' | 'dispose'>;

/** Makes a network ready to run on an engine. @throws BackendError if it cannot run here */
export async function startEngine(engine: string, graph: IntegerGraph): Promise<Started> {
  const [place, threads = '1'] = engine.split(':');
  if (place === 'reference') return createRuntime(graph, { engine: 'reference' });
  if (place === 'wasm') return createRuntime(graph, { engine: 'wasm', threads: Number(threads) });
  const { page, version, close } = await openRuntimePage();
  page.on('pageerror', ({ message }) => process.stderr.write(`page: ${message}\n`));
  const bytes = toBase64(encodeNetwork(graph));
  const name = await page.evaluate(([file, count]) => globalThis.a2qExact.load(file, Number(count)), [bytes, threads]);
  return {
    name: `Chromium ${version}, ${name}`,
    async run({ shape, data }) {
      const made = await page.evaluate(([text, extents]) => globalThis.a2qExact.run(text, extents), [
        toBase64(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
        shape,
      ] as const);
      if (made === null) throw new BackendError('chromium', 'the page has no network');
      return { shape: made.shape, data: new Int32Array(fromBase64(made.data).buffer) };
    },
    dispose: () => void close(),
  };
}
