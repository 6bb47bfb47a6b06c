import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CFiles, type COptions, encodeC } from '../../../lib/deploy/exchange/c/encodeC.js';
import type { IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import type { IntegerValue } from '../../../lib/deploy/runtime/reference.js';

const STRICT = ['-std=c99', '-O2', '-Wall', '-Wextra', '-Werror', '-pedantic'];

/** Why C cannot be compiled here; false if it can. */
export const noCompiler: string | false =
  spawnSync('gcc', ['--version']).status === 0 ? false : 'gcc is not installed here';

/** What a program made from C files writes, given bytes. @param main more source, in place of the files' own program */
export function runC({ name, header, source }: CFiles, input: Uint8Array, main?: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'a2q-c-'));
  try {
    writeFileSync(join(folder, `${name}.h`), header);
    writeFileSync(join(folder, `${name}.c`), source);
    if (main !== undefined) writeFileSync(join(folder, 'main.c'), main);
    const program = main === undefined ? [`-D${name.toUpperCase()}_MAIN`] : ['main.c'];
    execFileSync('gcc', [...STRICT, `${name}.c`, ...program, '-o', 'program'], { cwd: folder });
    return execFileSync(join(folder, 'program'), { input, maxBuffer: 2 ** 28 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The output integers of a network in C. */
export function computeC(graph: IntegerGraph, x: IntegerValue, options?: COptions): Int32Array {
  const { low, high } = graph.input;
  const signed = low < 0;
  const narrow = low >= -128 && high <= (signed ? 127 : 255);
  const bytes = narrow ? Uint8Array.from(x.data) : low >= -32768 && high < 32768 ? Int16Array.from(x.data) : x.data;
  const written = runC(encodeC(graph, options), new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return new Int32Array(written.buffer.slice(written.byteOffset, written.byteOffset + written.byteLength));
}
