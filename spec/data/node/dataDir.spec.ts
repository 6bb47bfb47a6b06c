import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dataFolder, resolveDataDir } from '../../../lib/data/node/index.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { temporaryFolder } from '../temporary.js';

t.test('the argument comes first, then the variable', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
  mkdirSync(a);
  mkdirSync(b);
  t.equal(await resolveDataDir(a, { A2Q_DATA_DIR: b }), a);
  t.equal(await resolveDataDir(undefined, { A2Q_DATA_DIR: b }), b);
  t.equal(await resolveDataDir('', { A2Q_DATA_DIR: b }), b);
  t.equal(await resolveDataDir(join(a, '..', 'b'), {}), b);
});

t.test('what is missing is named', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const nowhere = join(folder.path, 'nowhere');
  await t.rejects(resolveDataDir(undefined, {}), DataError);
  await t.rejects(resolveDataDir(undefined, {}), { message: /pass --data-dir DIR or set A2Q_DATA_DIR/ });
  await t.rejects(resolveDataDir(undefined, { A2Q_DATA_DIR: nowhere }), {
    message: `dataDir: A2Q_DATA_DIR: there is no folder ${nowhere}`,
  });
  await t.rejects(resolveDataDir(nowhere, {}), { message: `dataDir: --data-dir: there is no folder ${nowhere}` });
  const file = join(folder.path, 'file');
  writeFileSync(file, '');
  await t.rejects(resolveDataDir(file, {}), { message: /--data-dir: .* is a file, not a folder/ });
});

t.test('sub-folders', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  mkdirSync(join(folder.path, 'bsd300', 'images'), { recursive: true });
  t.equal(await dataFolder(folder.path, 'bsd300', 'images'), join(folder.path, 'bsd300', 'images'));
  await t.rejects(dataFolder(folder.path, 'bsd300', 'iids'), {
    message:
      `dataDir: no folder bsd300/iids in ${folder.path}; --data-dir or A2Q_DATA_DIR must name the ` +
      'folder that holds bsd300',
  });
});
