import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Measurement, measure } from './measurement.js';
import { performancePage } from './performancePage.js';

const USAGE = `usage: npm run bench:report -- [options]
Measures everything on this machine, which should have nothing else to do, and rewrites the performance page.
A measurement replaces the earlier one of the same processor and major version of Node.
  --threads N     training steps run with 1 thread and with N; default the processor's, at most 8
  --python PATH   a Python with PyTorch; default /usr/bin/python3; none to leave PyTorch out
  --rounds N      timed runs of each engine, in place of the fixed counts
  --data FILE     measurements, one JSON object a line; default docs/performance.jsonl
  --out FILE      the page; default docs/performance.md
  --no-measure    only writes the page anew from the measurements there are`;

/** A machine this busy (processes running on average) spoils figures. */
const QUIET_LOAD = 0.3;

/** The measurements with a new one in its place: one for each processor and major version of Node, in that order. */
export function withMeasurement(measurements: readonly Measurement[], fresh: Measurement): Measurement[] {
  const major = ({ node }: Measurement) => Number(node.replace(/^v(\d+).*/, '$1'));
  const others = measurements.filter((each) => each.cpu !== fresh.cpu || major(each) !== major(fresh));
  return [...others, fresh].sort((a, b) => a.cpu.localeCompare(b.cpu) || major(a) - major(b));
}

async function readMeasurements(path: string): Promise<Measurement[]> {
  if (!existsSync(path)) return [];
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as Measurement]));
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: String(Math.min(availableParallelism(), 8)) },
      python: { type: 'string', default: '/usr/bin/python3' },
      rounds: { type: 'string' },
      data: { type: 'string', default: 'docs/performance.jsonl' },
      out: { type: 'string', default: 'docs/performance.md' },
      'no-measure': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const count = (text: string) => {
    if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`expected a positive integer; got '${text}'`);
    return Number(text);
  };
  return {
    ...values,
    threads: count(values.threads),
    rounds: values.rounds === undefined ? null : count(values.rounds),
    python: values.python === 'none' ? null : values.python,
  };
}

async function main(): Promise<void> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions();
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  let measurements = await readMeasurements(options.data);
  if (!options['no-measure']) {
    const fresh = await measure(options);
    if (fresh.load > QUIET_LOAD) {
      process.stderr.write(`warning: the load average was ${fresh.load}; measure again when the machine is quiet\n`);
    }
    measurements = withMeasurement(measurements, fresh);
    await writeFile(options.data, measurements.map((each) => `${JSON.stringify(each)}\n`).join(''));
  }
  if (measurements.length === 0) throw new Error(`${options.data} holds no measurements`);
  await writeFile(options.out, performancePage(measurements));
  process.stderr.write(`wrote ${options.out}\n`);
}

if (process.argv[1]?.endsWith('report.js')) {
  main().catch((error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  });
}
