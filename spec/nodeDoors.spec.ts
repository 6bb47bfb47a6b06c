import './startReference.js';
import { readdir } from 'node:fs/promises';
import t from 'tap';
import { A2QError, backendNamed, pixels, setBackend } from '../lib/index.js';
import * as node from '../lib/node.js';
import { tinyRun } from './train/runs.js';
import { WRONG } from './wrongValues.js';

type Callable = (...given: unknown[]) => unknown;

/** Arguments that functions do take. */
const SOUND: Readonly<Record<string, () => readonly unknown[]>> = {
  buildModel: () => [tinyRun()],
  classify: () => [node.buildModel(tinyRun()), tinyRun(), pixels(1, 1, 1, new Uint8Array(1))],
  encodeModel: () => [node.buildModel(tinyRun()), tinyRun()],
  locateData: () => [{ name: 'glyphs' }, undefined, {}],
  makeOptimizer: () => [node.buildModel(tinyRun()), tinyRun().optimizer],
  makeSchedule: () => [{ kind: 'cosine' }, 3],
  openBatches: () => [{ config: { name: 'glyphs' }, dataDir: null }, 'test', { prefetch: false }],
  openData: () => [{ config: { name: 'glyphs' }, dataDir: null }, 'test', () => undefined],
  openHalves: () => [{ config: { name: 'glyphs' }, dataDir: null }, { prefetch: false }],
  openModel: () => [tinyRun(), '.', {}],
  readBsd300: () => ['.', 'test', {}],
  readCifar10: () => ['.', 'test', {}],
  readImageFolder: () => ['.', { size: 8 }],
  restoreModel: () => [node.buildModel(tinyRun()), new Map(), 'abc'],
};

/** Every kind alone, everywhere, and in each place of a call that is sound but for it. */
function* calls(name: string): Generator<readonly [kinds: string, given: readonly unknown[]]> {
  yield ['', []];
  for (const [kind, make] of Object.entries(WRONG)) {
    for (const count of [1, 2, 3]) yield [`${kind} x${count}`, Array.from({ length: count }, make)];
    const sound = SOUND[name]?.() ?? [];
    for (const place of sound.keys()) yield [`${kind} in ${place}`, sound.with(place, make())];
  }
}

/** What a call ends in; the name of a raw error, or of a call without an end. */
async function rawError(call: () => unknown): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const outcome = call();
    const never = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('no end in sight')), 10_000);
    });
    await Promise.race([outcome, never]);
    return null;
  } catch (error) {
    return error instanceof A2QError ? null : String(error);
  } finally {
    clearTimeout(timer);
  }
}

const doors = Object.entries(node).filter((entry): entry is [string, Callable] => typeof entry[1] === 'function');

t.test('whatever is handed to a function of a2q.js/node, no raw error comes back', async (t) => {
  setBackend(backendNamed('wasm'));
  const folder = t.testdir();
  const before = process.cwd();
  process.chdir(folder);
  t.teardown(() => process.chdir(before));
  let count = 0;
  for (const [name, call] of doors) {
    const raw = new Map<string, string>();
    for (const [kinds, given] of calls(name)) {
      const error = await rawError(() => call(...given));
      count += 1;
      if (error !== null) raw.set(error, `${name}(${kinds})`);
    }
    if (raw.size > 0) t.fail(`${name}: raw errors`, { raw: Object.fromEntries(raw) });
  }
  t.ok(count > 2000, `${count} calls`);
  t.same(await readdir(folder), [], 'nothing is written');
});

t.test('a run is refused field by field, before anything is written', async (t) => {
  const folder = t.testdir();
  const sound = {
    ...{ folder, config: tinyRun(), source: { config: tinyRun().dataset, dataDir: null } },
    ...{ resume: false, backend: 'wasm' },
  };
  for (const field of Object.keys(sound)) {
    for (const [kind, make] of Object.entries(WRONG)) {
      if (field === 'resume' || (kind === 'a string' && typeof sound[field as keyof typeof sound] === 'string'))
        continue;
      const error = await rawError(() => node.trainRun({ ...sound, [field]: make() } as never));
      t.equal(error, null, `${field}: ${kind}`);
    }
  }
  for (const events of [{ onNote: 5 }, [], 'abc'])
    t.equal(await rawError(() => node.trainRun({ ...sound, events } as never)), null);
  await t.rejects(node.trainRun({ folder } as never), {
    name: 'ArgumentError',
    message: 'trainRun: the configuration must be an object; got undefined',
  });
  await t.rejects(node.trainRun({ ...sound, config: { ...tinyRun(), epochs: 'x' } } as never), {
    name: 'DataError',
    message: /trainRun: epochs/,
  });
  t.same(await readdir(folder), []);
});

t.test('whoever asks for what there is gets it', async (t) => {
  const dataset = await node.openData(await node.locateData({ name: 'glyphs' }, undefined), 'test');
  t.equal(dataset.length, 2000);
  t.ok(doors.length > 35, `${doors.length} functions`);
});
