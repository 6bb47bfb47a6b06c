import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t from 'tap';
import { DataError } from '../../../lib/tensor/errors.js';
import { writeAtomic, writeError } from '../../../lib/train/node/files.js';
import { lockRun } from '../../../lib/train/node/runLock.js';
import { RunStore, type StoreOptions } from '../../../lib/train/node/runStore.js';

async function storeOf(folder: string, more: Partial<StoreOptions> = {}) {
  const notes: string[] = [];
  const lock = await lockRun(folder);
  t.teardown(() => lock.release());
  const store = new RunStore({ folder, lock, pauses: [1, 1], onNote: (text) => notes.push(text), ...more });
  return { store, notes };
}

/** A disk that refuses the first writes. */
function failing(times: number, code = 'ENOSPC'): NonNullable<StoreOptions['write']> {
  let left = times;
  return async (path, content) => {
    if (left-- > 0) throw writeError(path, Object.assign(new Error('refused'), { code }));
    await writeAtomic(path, content);
  };
}

const begin = new Map([['config.json', 'settings']]);

t.test('a write that fails is tried again after a pause', async (t) => {
  const folder = t.testdir({});
  const { store, notes } = await storeOf(folder, { write: failing(2) });
  await store.write(begin);
  t.equal(await readFile(join(folder, 'config.json'), 'utf8'), 'settings');
  t.equal(notes.length, 2);
  t.match(notes[0], /cannot write .*config\.json: the disk is full; nothing is lost: make room .* in 0\.001 s/);
});

t.test('what cannot be written goes elsewhere, as a whole', async (t) => {
  const folder = t.testdir({ run: {}, rescue: {} });
  const [run, rescue] = [join(folder, 'run'), join(folder, 'rescue')];
  let full = false;
  const write = (path: string, content: Uint8Array | string) =>
    full ? failing(1)(path, content) : writeAtomic(path, content);
  const { store } = await storeOf(run, { write, rescue });
  await store.write(new Map([...begin, ['best.safetensors', 'best of before'], ['last.safetensors', 'old']]));
  full = true;
  const refused = store.write(
    new Map([
      ['log.jsonl', 'log'],
      ['last.safetensors', 'new'],
    ]),
  );
  await t.rejects(refused, DataError);
  await t.rejects(refused, { message: /log\.jsonl: the disk is full; the run's files are in .*go on with: a2q train/ });
  const [place] = await readdir(rescue);
  t.match(place, new RegExp(`^a2q-rescue-${basename(run)}-`));
  const files = ['best.safetensors', 'config.json', 'last.safetensors', 'log.jsonl'];
  t.same((await readdir(join(rescue, place))).sort(), files);
  const read = (name: string) => readFile(join(rescue, place, name), 'utf8');
  t.same(await Promise.all(files.map(read)), ['best of before', 'settings', 'new', 'log']);
  t.equal(await readFile(join(run, 'last.safetensors'), 'utf8'), 'old', 'the old one stays whole');
});

t.test('a folder that was removed is made again, with all that was in it', async (t) => {
  const folder = join(t.testdir({}), 'run');
  await mkdir(folder);
  const { store, notes } = await storeOf(folder);
  await store.write(new Map([...begin, ['log.jsonl', 'one'], ['best.safetensors', 'best'], ['last.safetensors', 'a']]));
  await rm(folder, { recursive: true });
  await store.write(
    new Map([
      ['log.jsonl', 'two'],
      ['last.safetensors', 'b'],
    ]),
  );
  t.same(notes, []);
  const files = ['best.safetensors', 'config.json', 'last.safetensors', 'log.jsonl', 'run.lock'];
  t.same((await readdir(folder)).sort(), files);
  t.equal(await readFile(join(folder, 'log.jsonl'), 'utf8'), 'two');
});

t.test('a rescue that fails leaves no folder behind', async (t) => {
  const folder = t.testdir({ a: {}, b: {}, kept: {} });
  for (const [run, rescue] of [
    ['a', join(folder, 'new', 'deeper')],
    ['b', join(folder, 'kept')],
  ]) {
    const { store } = await storeOf(join(folder, run), { write: failing(9), rescue, pauses: [] });
    // A name in a folder that is not there: made, and then not written.
    await t.rejects(store.write(new Map([['no/such', 'text']])), { message: /nor is there another place/ });
  }
  t.same((await readdir(folder)).sort(), ['a', 'b', 'kept']);
  t.same(await readdir(join(folder, 'kept')), []);
});

t.test('no pause where none helps, nor once the user wants to stop', async (t) => {
  const folder = t.testdir({ run: {}, rescue: {} });
  const rescue = join(folder, 'rescue');
  const lasting = await storeOf(join(folder, 'run'), { write: failing(9, 'EFBIG'), rescue });
  await t.rejects(lasting.store.write(begin), { message: /would exceed the size limit; the run's files are in/ });
  t.same(lasting.notes, []);
  const stopped = join(t.testdir({ run: {} }), 'run');
  const signal = AbortSignal.abort();
  const { store, notes } = await storeOf(stopped, { write: failing(9), rescue: join(stopped, 'config.json'), signal });
  await writeAtomic(join(stopped, 'config.json'), 'in the way');
  await t.rejects(store.write(begin), {
    message: /the disk is full; nor is there another place: .*in the way of a folder/,
  });
  t.same(notes, []);
});
