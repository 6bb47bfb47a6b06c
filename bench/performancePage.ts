import { type Comparison, mebibytes, milliseconds } from './comparison.js';
import type { Measurement } from './measurement.js';

const INTRODUCTION = `# Performance

Made by \`npm run bench:report\`; every figure is in \`performance.jsonl\` beside this page. Do not edit.

**How it is measured.** Ours and theirs do the same work on the same seeded numbers in one process, turn by turn, after
a warm-up, a fixed number of times; results are read back inside the timing. Before anything is timed, both results are
compared: they must agree within 1e-4 of their root mean square. Times are medians, in milliseconds. GFLOP/s counts the
multiplications and additions of the direct algorithm, whatever algorithm ran. A ratio above 1 means that ours is
faster.

**Peers.** tfjs-wasm and tfjs-cpu are TensorFlow.js, in its own data layout; jax-js is @jax-js/jax on its wasm backend,
eager, which is its faster mode here. In Node each of them has one thread. PyTorch, where it is installed, runs its own
float steps (\`bench/torch/steps.py\`) in a process of its own just before, in the faster of its two memory formats; on
x86 also with AVX-512 denied to it (AVX2), as on a processor that has none: WebAssembly's vectors have 128 bits, AVX2's
256, AVX-512's 512.

**Training steps** are forward, backward and optimizer, with the accumulator penalty where the method has one: ESPCN ×2,
batch 8 of 3×64×64, Adam; CIFAR ResNet18, batch 16, and MobileNetV1, batch 32, SGD with momentum. A2Q+ is W4A4. Columns
hold milliseconds of a step, then the time of our A2Q+ step divided by others (÷), then how many times faster it is than
with one thread (speed-up). Peak is the most memory, in MiB, that tensors held at any moment of a float / an A2Q+ step,
parameters and optimizer state included.
`;

/** The page of all measurements, one section each. */
export function performancePage(measurements: readonly Measurement[]): string {
  return `${[INTRODUCTION, ...measurements.map(section)].join('\n')}`;
}

function section(measurement: Measurement): string {
  const { date, cpu, cores, memoryGiB, system, node, load, versions, torch, comparisons, skipped } = measurement;
  const { simd = null, winograd = null } = comparisons[0] ?? {};
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version ?? 'not installed'}`);
  if (torch.length > 0) peers.push(`PyTorch ${torch[0].torch}`);
  const lines = [
    `## Node ${node}${simd === null ? '' : `, ${simd} SIMD, Winograd ${winograd}`}`,
    '',
    `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${memoryGiB} GiB, ${system};`,
    `${peers.join(', ')};`,
    `measured on ${date}, load average before: ${load}.`,
    '',
  ];
  const products = comparisons.filter(({ name }) => !name.startsWith('step '));
  if (products.length > 0) lines.push('### Products and convolutions', '', ...productTable(products), '');
  const steps = comparisons.filter(({ name }) => name.startsWith('step '));
  if (steps.length > 0)
    lines.push('### Training steps', '', ...stepTable(steps, torch, measurement.torchAvx2 ?? []), '');
  if (skipped.length > 0)
    lines.push('Not measured:', '', ...skipped.map((line) => `- ${line.replace(': ', ':\n  ')}`), '');
  return lines.join('\n');
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i === 0 ? '-' : '-:'));
  return [line(head), line(rule), ...rows.map(line)];
}

function productTable(comparisons: readonly Comparison[]): string[] {
  const rate = (gflop: number | undefined, time: number) => (gflop ? ((1e3 * gflop) / time).toPrecision(3) : '');
  const rows = comparisons.map((each) => [
    each.name,
    String(each.threads),
    milliseconds(each.ours),
    rate(each.gflop, each.ours),
    each.theirsName,
    milliseconds(each.theirs),
    rate(each.gflop, each.theirs),
    each.ratio.toFixed(2),
  ]);
  return markdownTable(['', 'threads', 'ours ms', 'GFLOP/s', 'peer', 'ms', 'GFLOP/s', 'ratio'], rows);
}

/** One row a model and number of threads, gathered from the comparisons of its A2Q+ step. */
function stepTable(steps: readonly Comparison[], ...torch: readonly Measurement['torch'][]): string[] {
  const rows = steps
    .filter(({ theirsName }) => theirsName === 'a2q.js float')
    .map(({ name, threads, ours, theirs, peakBytes, theirsPeakBytes }) => {
      const model = name.split(' ')[1];
      const others = torch.map((each) => each.find((step) => step.model === model && step.threads === threads));
      const single = steps.find((each) => {
        return each.name === name && each.threads === threads && each.theirsName === 'a2q.js 1 thread';
      });
      return [
        model,
        String(threads),
        ...others.map((other) => (other ? milliseconds(other.ms_median) : '')),
        milliseconds(theirs),
        milliseconds(ours),
        (ours / theirs).toFixed(2),
        ...others.map((other) => (other ? (ours / other.ms_median).toFixed(2) : '')),
        single ? single.ratio.toFixed(2) : '',
        [theirsPeakBytes, peakBytes].map((bytes) => (bytes === undefined ? '?' : mebibytes(bytes))).join(' / '),
      ];
    });
  const head = [
    'model',
    'threads',
    'PyTorch',
    'AVX2',
    'our float',
    'our A2Q+',
    '÷ our float',
    '÷ PyTorch',
    '÷ AVX2',
    'speed-up',
    'peak',
  ];
  return markdownTable(head, rows);
}
