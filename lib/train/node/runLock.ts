import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, utimesSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { DataError } from '../../tensor/errors.js';
import { errorCode, processExists, writeError } from './files.js';

/**
 * One writer at a time: whoever trains in a folder holds its `run.lock`, which says who that is. A lock is stale if its
 * process is gone, or, where that cannot be seen (another machine), if it shows no sign of life for some minutes.
 */

const LOCK_FILE = 'run.lock';

/** Milliseconds between two signs of life, and after which their absence means death. */
const BEAT = 30_000;
const SILENCE = 300_000;

/** Milliseconds after which two who took over the same stale lock see which of them has it. */
const SETTLE = 100;

const holderSchema = z.object({
  pid: z.int().min(0),
  host: z.string(),
  /** When the lock was taken, for people. */
  since: z.string(),
  /** When the process began, as its system counts; null where that is not known. Process numbers are used again. */
  begun: z.string().nullable(),
  /** Tells this lock from every other. */
  token: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

/** A folder that no other process writes. */
export interface RunLock {
  /** Takes the lock again if its file is gone. @throws DataError if another process has taken it meanwhile */
  confirm(): Promise<void>;
  release(): void;
}

/** Locks that this process holds; they go even if it ends in the middle. */
const held = new Map<string, string>();
process.on('exit', () => {
  for (const [path, token] of held) removeOwn(path, token);
});

/**
 * Takes the lock of a run's folder.
 *
 * @param onNote told of a stale lock that is taken over
 * @throws DataError saying who holds it
 */
export async function lockRun(folder: string, onNote: (text: string) => void = () => undefined): Promise<RunLock> {
  const path = join(folder, LOCK_FILE);
  const own: Holder = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    begun: beginningOf(process.pid),
    token: randomUUID(),
  };
  let takenOver = false;
  while (!(await create(path, own))) {
    const found = await holderOf(path);
    if (found === null) continue;
    if (isAlive(path, found)) throw inUse(folder, found.holder);
    onNote(`the lock of a process that is gone was taken over (${who(found.holder)})`);
    await rm(path, { force: true });
    takenOver = true;
  }
  held.set(path, own.token);
  const confirm = async () => {
    const found = await holderOf(path);
    if (found ? found.holder?.token !== own.token : !(await create(path, own))) {
      throw inUse(folder, (found ?? (await holderOf(path)))?.holder ?? null);
    }
  };
  if (takenOver) {
    await setTimeout(SETTLE);
    await confirm();
  }
  const beat = setInterval(() => touch(path), BEAT).unref();
  const release = () => {
    clearInterval(beat);
    held.delete(path);
    removeOwn(path, own.token);
  };
  return { confirm, release };
}

/** @returns whether there was no lock, and now is this one @throws DataError if there can be none */
async function create(path: string, own: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(`${JSON.stringify(own)}\n`);
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') return false;
    throw writeError(path, cause);
  }
}

interface Found {
  /** Null if the file does not say. */
  readonly holder: Holder | null;
  /** Milliseconds since its last sign of life. */
  readonly silence: number;
}

async function holderOf(path: string): Promise<Found | null> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { holder: parse(text), silence: Date.now() - mtimeMs };
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return null;
    throw new DataError('run', `cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function parse(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function isAlive(path: string, { holder, silence }: Found): boolean {
  // Taken this moment, and not written yet; or damaged.
  if (holder === null) return silence < BEAT;
  if (holder.host !== hostname()) return silence < SILENCE;
  if (holder.pid === process.pid) return held.get(path) === holder.token;
  if (!processExists(holder.pid)) return false;
  const begun = beginningOf(holder.pid);
  return begun === null || holder.begun === null || begun === holder.begun;
}

/** When a process began, in ticks of its machine; null where the system does not say. */
function beginningOf(pid: number): string | null {
  try {
    // The name in brackets may hold anything; the fields behind it are numbers, the 20th of them the beginning.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // The folder is gone; the next write finds out and says so.
  }
}

function removeOwn(path: string, token: string): void {
  try {
    if (parse(readFileSync(path, 'utf8'))?.token === token) rmSync(path, { force: true });
  } catch {
    // Gone already.
  }
}

function who(holder: Holder | null): string {
  return holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : 'unreadable';
}

function inUse(folder: string, holder: Holder | null): DataError {
  const elsewhere = holder !== null && holder.host !== hostname();
  const until = elsewhere ? `; should it have ended, its lock counts for ${SILENCE / 60_000} more minutes` : '';
  return new DataError('run', `${folder} is being written by another process (${who(holder)})${until}`);
}
