import { availableParallelism, cpus } from 'node:os';
import Table from 'cli-table3';
import { Command } from 'commander';
import { BACKEND_NAMES, backendNamed, describeBackend } from '../../kernels/registry.js';
import { hasRelaxedSimd, hasSharedMemory } from '../../kernels/wasm/binaries.js';
import { A2QError } from '../../tensor/errors.js';
import { defaultThreads, wasmDescription } from '../backend.js';
import { Output } from '../output.js';
import { packageVersion } from '../version.js';

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
    .option('--json', 'machine-readable output')
    .action(({ json = false }: { json?: boolean }) => info(new Output(json)));
}

function info(out: Output): void {
  const backends = BACKEND_NAMES.map(statusOf);
  const { name, why, refused } = describeBackend();
  const features = { relaxedSimd: hasRelaxedSimd(), sharedMemory: hasSharedMemory() };
  const report = {
    version: packageVersion(),
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

function statusOf(name: string): BackendStatus {
  try {
    const backend = backendNamed(name);
    const details = wasmDescription(backend);
    const runsOn = details ? `WebAssembly, ${details.simd} SIMD` : 'plain JavaScript';
    return { name, available: true, details: `${runsOn}; ${backend.dtypes.join(', ')}` };
  } catch (error) {
    if (!(error instanceof A2QError)) throw error;
    return { name, available: false, details: error.message };
  }
}
