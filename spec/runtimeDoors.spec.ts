import './startReference.js';
import { readFileSync } from 'node:fs';
import t from 'tap';
import * as root from '../lib/index.js';
import * as runtime from '../lib/runtime.js';
import { randomGraph } from './deploy/randomGraph.js';
import { WRONG } from './wrongValues.js';

type Callable = (...given: unknown[]) => unknown;

const graph = randomGraph({ seed: 3 });
const ready = await runtime.createRuntime(graph, { engine: 'reference' });
const value = { shape: [1, 10], data: new Int32Array(10) };

/** Arguments that functions do take. */
const SOUND: Readonly<Record<string, readonly unknown[]>> = {
  classify: [ready, { width: 1, height: 1, data: new Uint8Array(3) }],
  createRuntime: [graph, { engine: 'reference' }],
  decodeOutput: [graph, value],
  endingAt: [graph, 'act1'],
  formatShape: [[1, 2]],
  inferRanges: [graph, runtime.inferShapes(graph)],
  inferShapes: [graph, [1, 3, 8, 8]],
  loadNetwork: [new Uint8Array(9), 'net'],
  pictureInput: [graph, { width: 1, height: 1, channels: 3, data: new Uint8Array(3) }],
  pixelTables: [graph],
  quantizeInput: [graph, new Float32Array(192), [1, 3, 8, 8]],
  upscale: [ready, { width: 1, height: 1, data: new Uint8Array(3) }],
};

async function rawError(call: () => unknown): Promise<string | null> {
  try {
    await call();
    return null;
  } catch (error) {
    return error instanceof root.A2QError ? null : String(error);
  }
}

t.test('whatever is handed to a function of a2q.js/runtime, no raw error comes back', async (t) => {
  const doors = Object.entries<unknown>(runtime).flatMap(([name, value]) =>
    typeof value === 'function' && !(value.prototype instanceof Error) ? [[name, value as Callable] as const] : [],
  );
  t.strictSame(doors.map(([name]) => name).sort(), Object.keys(SOUND).sort(), 'every function is tried');
  for (const [name, call] of doors) {
    const raw = new Set<string>();
    for (const make of Object.values(WRONG)) {
      const given = [[make()], [make(), make()], ...SOUND[name].map((_, place) => SOUND[name].with(place, make()))];
      for (const each of given) {
        const error = await rawError(() => call(...each));
        if (error !== null) raw.add(error);
      }
    }
    t.same([...raw], [], name);
  }
  for (const make of Object.values(WRONG)) t.equal(await rawError(async () => ready.run(make() as never)), null, 'run');
});

t.test('its errors are those of the package root', async (t) => {
  t.equal(runtime.DataError, root.DataError);
  t.throws(() => runtime.loadNetwork(new Uint8Array(9)), root.DataError);
});

t.test('it holds no code that trains', async (t) => {
  const files = new Set<string>();
  const pending = [new URL('../lib/runtime.js', import.meta.url).href];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(new URL(file), 'utf8');
    for (const [, specifier] of text.matchAll(/^(?:import|export)\s(?:[\w\s{},*$]+?from\s?)?['"]([^'"]+)['"];$/gm)) {
      t.match(specifier, /^\./, 'no package');
      pending.push(new URL(specifier, file).href);
    }
  }
  t.ok(files.size > 20);
  t.same(
    [...files].filter((file) => /\/lib\/(autograd|nn|quant|train|cli)\//.test(file)),
    [],
  );
});
