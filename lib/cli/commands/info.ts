import { availableParallelism, cpus } from 'node:os';
import Table from 'cli-table3';
import { Command } from 'commander';
import type { Backend } from '../../kernels/backend.js';
import { BACKEND_NAMES, describeBackend, GPU_BACKEND_NAMES, startBackend } from '../../kernels/registry.js';
import { hasRelaxedSimd, hasSharedMemory } from '../../kernels/wasm/unpack.js';
import { A2QError } from '../../tensor/errors.js';
import { VERSION } from '../../tensor/version.js';
import { defaultThreads, gpuDescription, useBackend, wasmDescription } from '../backend.js';
import { callTable, explainForward } from '../explain.js';
import { Output } from '../output.js';
import { loadSubject, subjectPath } from '../subject.js';

/** One backend, and whether it runs here. */
interface BackendStatus {
  readonly name: string;
  readonly available: boolean;
  /** What it runs on, or why it cannot. */
  readonly details: string;
}

export function infoCommand(): Command {
  return new Command('info')
    .description('show backends, what would be chosen and why, threads, features and versions')
    .option('--explain <run>', 'what a forward pass of that run’s model runs: rows, algorithms, threads, times')
    .option('--json', 'machine-readable output')
    .action(async ({ explain, json = false }: { explain?: string; json?: boolean }) => {
      const out = new Output(json);
      await (explain === undefined ? info(out) : explainRun(out, explain));
    });
}

/** Every row of a forward pass over one blank image, as it ran. */
async function explainRun(out: Output, run: string): Promise<void> {
  const path = await subjectPath({ run });
  const backend = await useBackend({});
  const { model, checkpoint } = await loadSubject(path);
  const calls = explainForward(model, checkpoint.config.shape);
  model.dispose();
  out.say(`${path}: one blank image through the network, on ${backend}`);
  out.say(callTable(calls));
  out.result({ checkpoint: path, backend, calls });
}

async function info(out: Output): Promise<void> {
  const backends = await Promise.all([...BACKEND_NAMES, ...GPU_BACKEND_NAMES].map(statusOf));
  const { name, why, refused } = describeBackend();
  const features = { relaxedSimd: hasRelaxedSimd(), sharedMemory: hasSharedMemory() };
  const report = {
    version: VERSION,
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    threads: { processor: availableParallelism(), default: defaultThreads() },
    features,
    backends,
    chosen: { name, why, refused },
  };
  const table = new Table({ style: { head: [], border: [] }, head: ['backend', 'here', 'runs on, or why not'] });
  for (const each of backends) table.push([each.name, each.available ? 'yes' : 'no', each.details]);
  const yes = (has: boolean) => (has ? 'yes' : 'no');
  out.say(`a2q ${report.version}, Node ${report.node} (V8 ${report.v8}) on ${report.platform}`);
  out.say(`processor: ${report.processor}, ${report.threads.processor} threads, ${report.threads.default} used`);
  out.say(`WebAssembly: relaxed SIMD ${yes(features.relaxedSimd)}, shared memory ${yes(features.sharedMemory)}`);
  out.say(table.toString());
  out.say(`chosen: ${name} (${why})`);
  out.result(report);
}

async function statusOf(name: string): Promise<BackendStatus> {
  try {
    const backend = await startBackend(name);
    return { name, available: true, details: `${runsOn(backend)}; ${backend.dtypes.join(', ')}` };
  } catch (error) {
    if (!(error instanceof A2QError)) throw error;
    return { name, available: false, details: error.message.replace(`${name}: `, '') };
  }
}

/** What a backend computes on, for people. */
function runsOn(backend: Backend): string {
  const wasm = wasmDescription(backend);
  if (wasm) return `WebAssembly, ${wasm.simd} SIMD`;
  const gpu = gpuDescription(backend);
  if (!gpu || gpu.mode === 'cpu') return 'plain JavaScript';
  if (gpu.mode === 'webasm') return 'WebAssembly made by gpu.js, one thread';
  const { vendor, architecture, description } = gpu.adapter ?? {};
  const adapter = [vendor, architecture, description].filter((part) => part !== undefined).join(' ');
  return `${adapter || 'an adapter that does not say its name'}${gpu.software ? ', a software adapter' : ''}`;
}
