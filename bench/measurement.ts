import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, loadavg, platform, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Comparison } from './comparison.js';
import { peerVersions } from './peers/index.js';
import { parseTorchSteps, type TorchStep } from './trainingSteps.js';

/** Everything measured in one go on one machine, and what that machine is. */
export interface Measurement {
  /** Day of measurement, ISO. */
  readonly date: string;
  readonly cpu: string;
  /** Processors this process may use. */
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Average number of running processes in the minute before. */
  readonly load: number;
  /** Installed version of each peer; null where there is none. */
  readonly versions: Readonly<Record<string, string | null>>;
  readonly torch: readonly TorchStep[];
  /** The same with vectors of at most 256 bits, on x86: what a processor without AVX-512 would have PyTorch do. */
  readonly torchAvx2?: readonly TorchStep[];
  readonly comparisons: readonly Comparison[];
  /** Comparisons that could not take place, each with the reason. */
  readonly skipped: readonly string[];
}

export interface MeasureOptions {
  /** Threads of the training steps besides 1. */
  readonly threads: number;
  /** A Python with PyTorch; null to leave PyTorch out. */
  readonly python: string | null;
  /** In place of the fixed counts. */
  readonly rounds: number | null;
}

/** Keeps the libraries under PyTorch from using AVX-512. */
const AVX2_ONLY = {
  ATEN_CPU_CAPABILITY: 'avx2',
  DNNL_MAX_CPU_ISA: 'AVX2',
  ONEDNN_MAX_CPU_ISA: 'AVX2',
  MKL_ENABLE_INSTRUCTIONS: 'AVX2',
  OPENBLAS_CORETYPE: 'Haswell',
};

const TORCH_SCRIPT = join('bench', 'torch', 'steps.py');

/**
 * Runs PyTorch's steps, then every benchmark, each in a process of its own.
 * @throws Error if a benchmark fails
 */
export async function measure({ threads, python, rounds }: MeasureOptions): Promise<Measurement> {
  const load = Number(loadavg()[0].toFixed(2));
  const counts = rounds === null ? [] : ['--rounds', String(rounds)];
  const skipped: string[] = [];
  const torch = python === null ? [] : await torchSteps(python, threads, counts, skipped);
  const isX86 = arch() === 'x64' && torch.length > 0 && python !== null;
  const torchAvx2 = isX86 ? await torchSteps(python, threads, counts, skipped, AVX2_ONLY) : [];
  const folder = await mkdtemp(join(tmpdir(), 'a2q-bench-'));
  const comparisons: Comparison[] = [];
  try {
    const torchFile = join(folder, 'torch.jsonl');
    await writeFile(torchFile, torch.map((line) => `${JSON.stringify(line)}\n`).join(''));
    for (const args of [
      ['matmul', 'conv'],
      ['step', '--threads', String(threads), '--torch', torchFile],
    ]) {
      const main = fileURLToPath(new URL('./main.js', import.meta.url));
      const { code, out, notes } = await output(process.execPath, [main, ...args, ...counts, '--json']);
      if (code !== 0) throw new Error(`bench ${args[0]} failed: ${notes.trim()}`);
      comparisons.push(...jsonLines(out));
      skipped.push(...notes.split('\n').flatMap((line) => (line.startsWith('skipped: ') ? [line.slice(9)] : [])));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    load,
    versions: peerVersions(),
    torch,
    torchAvx2,
    comparisons,
    skipped,
  };
}

async function torchSteps(
  python: string,
  threads: number,
  counts: readonly string[],
  skipped: string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<TorchStep[]> {
  const wanted = [...new Set([1, threads])].map(String);
  const { code, out, notes } = await output(python, [TORCH_SCRIPT, '--threads', ...wanted, ...counts], environment);
  if (code === 0) return parseTorchSteps(out, TORCH_SCRIPT);
  skipped.push(`PyTorch by ${python}: ${notes.trim().split('\n').at(-1) ?? `exit code ${code}`}`);
  return [];
}

function jsonLines(text: string): Comparison[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Comparison]));
}

/** Runs a program to its end; what it says on standard error is passed on as it comes. */
function output(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string; notes: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    let out = '';
    let notes = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      process.stderr.write(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      notes += text;
      process.stderr.write(text);
    });
    child.on('error', (error) => resolve({ code: 1, out, notes: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, out, notes }));
  });
}
