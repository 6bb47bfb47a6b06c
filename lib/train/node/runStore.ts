import { rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DataError } from '../../tensor/errors.js';
import { errorCode, fileExists, makeFolder, makeWritableFolder, missingFolders, writeAtomic } from './files.js';
import { RUN_FILES } from './runFolder.js';
import type { RunLock } from './runLock.js';

/** What a file holds. */
export type Content = Uint8Array | string;

/** How to keep a run's files. */
export interface StoreOptions {
  readonly folder: string;
  readonly lock: RunLock;
  /** Where a folder with them is made if their own cannot be written; default the system's for temporary files. */
  readonly rescue?: string;
  /** Milliseconds to wait before each further attempt. */
  readonly pauses?: readonly number[];
  /** Writes one file as a whole or not at all. */
  readonly write?: (path: string, content: Content) => Promise<void>;
  /** Told what failed, and what happens now. */
  readonly onNote?: (text: string) => void;
  /** Once it is aborted there are no more pauses. */
  readonly signal?: AbortSignal;
}

/** Half a minute, in which a disk may be given room, or a share come back. */
const PAUSES = [1000, 2000, 4000, 8000, 15_000];

/** What a run needs beside its last checkpoint, which is written anew each time. */
const KEPT: ReadonlySet<string> = new Set([RUN_FILES.config, RUN_FILES.log, RUN_FILES.best]);

/** What no waiting helps against: the file itself is in the way, or too large. */
const LASTING: ReadonlySet<string> = new Set(['EFBIG', 'EISDIR', 'ENOTDIR', 'EEXIST']);

/**
 * The files of a run: on disk, and in memory what a folder that was removed would need again. A write that fails is
 * tried again after pauses; at last everything is written elsewhere, so that no work is lost to a full disk.
 */
export class RunStore {
  /** What is not written anew each time. */
  readonly #kept = new Map<string, Content>();
  readonly #options: StoreOptions;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** Remembers a file that is on disk already. */
  keep(name: string, content: Content): void {
    this.#kept.set(name, content);
  }

  /**
   * Writes files by name, in their order.
   * @throws DataError if the folder cannot be written: it says why, and where the files are in its place
   */
  async write(files: ReadonlyMap<string, Content>): Promise<void> {
    const { pauses = PAUSES, onNote = () => undefined, signal } = this.#options;
    for (const [name, content] of files) if (KEPT.has(name)) this.#kept.set(name, content);
    for (const [i, pause] of [...pauses, 0].entries()) {
      try {
        return await this.#attempt(files);
      } catch (failure) {
        if (!(failure instanceof DataError)) throw failure;
        if (i === pauses.length || signal?.aborted || LASTING.has(errorCode(failure.cause))) {
          throw await this.#rescue(files, failure);
        }
        onNote(`${failure.message}; nothing is lost: make room or mend it, the next attempt is in ${pause / 1000} s`);
        await setTimeout(pause, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    }
  }

  /** Removes what was written of a run that never began. */
  async forget(): Promise<void> {
    for (const name of this.#kept.keys()) await rm(join(this.#options.folder, name), { force: true });
    this.#kept.clear();
  }

  async #attempt(files: ReadonlyMap<string, Content>): Promise<void> {
    const { folder, lock } = this.#options;
    if (await fileExists(join(folder, RUN_FILES.config))) {
      await lock.confirm();
      await this.#writeAll(folder, files);
      return;
    }
    await makeFolder(resolve(folder)).catch(() => undefined);
    await lock.confirm();
    await this.#writeAll(folder, new Map([...this.#kept, ...files]));
  }

  async #writeAll(folder: string, files: ReadonlyMap<string, Content>): Promise<void> {
    const { write = writeAtomic } = this.#options;
    if (files.has(RUN_FILES.best) || files.has(RUN_FILES.last)) await removeCertificate(folder);
    for (const [name, content] of files) await write(join(folder, name), content);
  }

  /** Writes everything elsewhere. @returns what to tell the user */
  async #rescue(files: ReadonlyMap<string, Content>, failure: DataError): Promise<DataError> {
    const { folder } = this.#options;
    const rescue = join(this.#options.rescue ?? tmpdir(), `a2q-rescue-${basename(folder)}-${process.pid}`);
    const all = new Map([...this.#kept, ...files]);
    const made = await missingFolders(rescue);
    try {
      await makeWritableFolder(rescue);
      for (const [name, content] of all) await writeAtomic(join(rescue, name), content);
    } catch (second) {
      for (const name of all.keys()) await rm(join(rescue, name), { force: true }).catch(() => undefined);
      for (const each of made) await rmdir(each).catch(() => undefined);
      const why = second instanceof Error ? second.message : String(second);
      return new DataError('save', `${textOf(failure)}; nor is there another place: ${why}`, { cause: failure });
    }
    const back = `once ${folder} can be written, move them there and go on with: a2q train --resume --out ${folder}`;
    return new DataError('save', `${textOf(failure)}; the run's files are in ${rescue}; ${back}`, { cause: failure });
  }
}

/** What was proved of checkpoints that are about to be replaced is said of them no longer. */
async function removeCertificate(folder: string): Promise<void> {
  const path = join(folder, RUN_FILES.certificate);
  try {
    await rm(path, { force: true });
  } catch (cause) {
    throw new DataError('save', `cannot remove ${path}, which is of an earlier checkpoint`, { cause });
  }
}

/** An error's message without the name of its operation. */
function textOf({ op, message }: DataError): string {
  return message.slice(op.length + 2);
}
