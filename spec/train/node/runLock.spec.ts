import { spawnSync } from 'node:child_process';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { DataError } from '../../../lib/tensor/errors.js';
import { removeStaleTemporaries, writeAtomic } from '../../../lib/train/node/files.js';
import { lockRun } from '../../../lib/train/node/runLock.js';

/** The number of a process that was, and is no more. */
function goneProcess(): number {
  return spawnSync(process.execPath, ['-e', '0']).pid;
}

function lockOf(more: object): string {
  const holder = {
    pid: goneProcess(),
    host: hostname(),
    since: '2026-01-01T00:00:00.000Z',
    begun: null,
    token: 'other',
  };
  return JSON.stringify({ ...holder, ...more });
}

t.test('one writer at a time, in this process as in others', async (t) => {
  const folder = t.testdir({});
  const lock = await lockRun(folder);
  await t.rejects(lockRun(folder), DataError);
  await t.rejects(lockRun(folder), {
    message: new RegExp(`being written by another process \\(process ${process.pid}`),
  });
  await lock.confirm();
  lock.release();
  t.same(await readdir(folder), []);
  (await lockRun(folder)).release();
});

t.test('a stale lock is taken over, with a note', async (t) => {
  const stale: readonly (readonly [name: string, lock: string])[] = [
    ['of a process that is gone', lockOf({})],
    ['of an earlier process of this number', lockOf({ pid: process.pid })],
    ...(process.platform === 'linux'
      ? ([['of another process of a number', lockOf({ pid: 1, begun: '-1' })]] as const)
      : []),
  ];
  for (const [name, content] of stale) {
    const folder = t.testdir({ 'run.lock': content });
    const notes: string[] = [];
    const lock = await lockRun(folder, (text) => notes.push(text));
    t.match(notes, [/lock of a process that is gone was taken over \(process \d+ on /], name);
    t.match(JSON.parse(await readFile(join(folder, 'run.lock'), 'utf8')), { pid: process.pid });
    lock.release();
    t.same(await readdir(folder), []);
  }
});

t.test('a lock that cannot be looked into counts until it has been silent for minutes', async (t) => {
  for (const content of [lockOf({ host: 'elsewhere' }), '', 'damaged']) {
    const folder = t.testdir({ 'run.lock': content });
    await t.rejects(lockRun(folder), { message: /being written by another process/ }, content);
    const long = new Date(Date.now() - 600_000);
    await utimes(join(folder, 'run.lock'), long, long);
    (await lockRun(folder)).release();
  }
});

t.test('who lost the lock is told; who lost its file takes it again', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'run.lock');
  const lock = await lockRun(folder);
  const { token } = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, lockOf({ host: 'elsewhere' }));
  await t.rejects(lock.confirm(), { message: /process \d+ on elsewhere/ });
  lock.release();
  t.match(await readFile(path, 'utf8'), 'elsewhere', 'the other one’s stays');
  await writeFile(path, lockOf({ token }));
  await lock.confirm();
});

t.test('temporary files of killed processes go; others stay', async (t) => {
  const gone = goneProcess();
  const names = [`.last.safetensors.${gone}.tmp`, `.log.jsonl.${process.pid}.tmp`];
  const stay = ['.hidden', `.a.${process.ppid}.tmp`, 'b.tmp', 'last.safetensors'];
  const folder = t.testdir(Object.fromEntries([...names, ...stay].map((name) => [name, 'x'])));
  t.same((await removeStaleTemporaries(folder)).sort(), [...names].sort());
  t.same((await readdir(folder)).sort(), [...stay].sort());
  await writeAtomic(join(folder, 'log.jsonl'), 'x');
});
