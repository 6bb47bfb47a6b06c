import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { DataError } from '../../../lib/tensor/errors.js';
import { makeWritableFolder, readTextIfAny, writeAtomic } from '../../../lib/train/node/files.js';

t.test('writes a file, and over it', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'a.txt');
  await writeAtomic(path, 'one');
  t.equal(await readFile(path, 'utf8'), 'one');
  await writeAtomic(path, Uint8Array.of(116, 119, 111));
  t.equal(await readFile(path, 'utf8'), 'two');
  t.same(await readdir(folder), ['a.txt'], 'no temporary file stays');
});

t.test('refuses, names the path and leaves nothing', async (t) => {
  const folder = t.testdir({ taken: {}, file: 'x' });
  const cases: [string, RegExp][] = [
    [join(folder, 'taken'), /cannot write .*taken: a folder is in the way/],
    [join(folder, 'none', 'a.txt'), /cannot write .*none.a\.txt: a folder on the way does not exist/],
    [join(folder, 'file', 'a.txt'), /cannot write .*file.a\.txt: a file is in the way/],
  ];
  for (const [path, message] of cases) {
    await t.rejects(writeAtomic(path, 'x'), DataError);
    await t.rejects(writeAtomic(path, 'x'), { message });
  }
  t.same((await readdir(folder)).sort(), ['file', 'taken']);
});

t.test('a write that fails half way leaves the old file whole', async (t) => {
  const folder = t.testdir({ 'a.bin': 'old' });
  const module = fileURLToPath(new URL('../../../lib/train/node/files.js', import.meta.url));
  const script = `
    import { writeAtomic } from ${JSON.stringify(module)};
    try { await writeAtomic(process.argv[1], new Uint8Array(1e6)); console.log('written'); }
    catch (error) { console.log(error.name + ': ' + error.message); }`;
  // A limit of 64 blocks on file size stands for the full disk. Tap's preload, passed on in NODE_OPTIONS, would make
  // the signal of that limit fatal, which Node itself ignores.
  const command = 'unset NODE_OPTIONS; ulimit -f 64; exec "$0" --input-type=module -e "$1" "$2"';
  const path = join(folder, 'a.bin');
  const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, script, path]);
  t.match(stdout, /^DataError: save: cannot write .*a\.bin: the file would exceed the size limit/);
  t.equal(await readFile(join(folder, 'a.bin'), 'utf8'), 'old');
  t.same(await readdir(folder), ['a.bin'], 'the temporary file is gone');
});

t.test('folders', async (t) => {
  const folder = t.testdir({ file: 'x' });
  await makeWritableFolder(join(folder, 'a', 'b'));
  await makeWritableFolder(join(folder, 'a', 'b'));
  t.same(await readdir(join(folder, 'a', 'b')), [], 'no probe stays');
  await t.rejects(makeWritableFolder(join(folder, 'file')), { message: /cannot write .*file: a file is in the way/ });
  await t.rejects(makeWritableFolder(join(folder, 'file', 'deep')), DataError);
  if (process.platform === 'linux') {
    await t.rejects(makeWritableFolder('/proc/a2q/run'), { message: /cannot write \/proc\/a2q\/run/ });
  }
});

t.test('text that may be absent', async (t) => {
  const folder = t.testdir({});
  t.equal(await readTextIfAny(join(folder, 'a')), null);
  await writeFile(join(folder, 'a'), 'é');
  t.equal(await readTextIfAny(join(folder, 'a')), 'é');
  await mkdir(join(folder, 'b'));
  await t.rejects(readTextIfAny(join(folder, 'b')), { message: /cannot read .*b/ });
});
