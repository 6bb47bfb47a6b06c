/**
 * Compiles AssemblyScript into TypeScript modules that hold the binaries, compressed, as base64 (plain SIMD, and what
 * relaxed SIMD has instead), and the signatures of all kernels, so that browsers and bundlers need not fetch anything:
 * lib/kernels/wasm/assembly, with the fields of its plans and the kernels of elementwise ops, and
 * lib/deploy/runtime/wasm/assembly. Skips what has not changed, nor these scripts or the compiler; prints errors only.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryLines, compileKernels, fingerprint, generate, kernelLines, sourcesOf } from './wasm.mjs';

const root = join(import.meta.dirname, '..');
const scripts = ['build-wasm.mjs', 'wasm.mjs'].map((name) => join(import.meta.dirname, name));
const sources = join(root, 'lib/kernels/wasm/assembly');
const runtime = join(root, 'lib/deploy/runtime/wasm');

/**
 * Sources with the taps of 3 × 3 windows written out: the compiler keeps variables in registers, arrays it does not. A
 * block that begins with `{ // each $r` and a line that names `$r` or `$c` stand for one copy for each row 0 … 2 and
 * each column 0 … 2 of the window, row by row.
 */
function unrolled(source) {
  const copies = (text, index) => [0, 1, 2].map((value) => text.replaceAll(index, value));
  return source
    .replaceAll(/^( *)\{ \/\/ each \$r\n[\s\S]*?\n\1\}$/gm, (block) => copies(block, '$r').join('\n'))
    .replaceAll(/^.*\$r.*$/gm, (line) => copies(line, '$r').join('\n'))
    .replaceAll(/^.*\$c.*$/gm, (line) => copies(line, '$c').join('\n'));
}

/**
 * Sources with copies for vectors held at once: what stands between a line `// each $V of 2 4 8` and `// end` is there
 * once for each count, and a line of it that names `$i` once for each vector.
 */
function widened(source) {
  const lines = (text, count) =>
    text.replaceAll(/^.*\$i.*$/gm, (line) =>
      Array.from({ length: count }, (_, i) => line.replaceAll('$i16', 16 * i).replaceAll('$i', i)).join('\n'),
    );
  return source.replaceAll(/^\/\/ each \$V of ([\d ]+)\n([\s\S]*?)^\/\/ end$/gm, (_, counts, block) =>
    counts
      .split(' ')
      .map((count) => lines(block.replaceAll('$V', count), Number(count)))
      .join('\n'),
  );
}

/** Names of the elementwise functions of one and of two vectors, and of the kernels made of them. */
function elementwiseOps() {
  const source = readFileSync(join(sources, 'elementwise.ts'), 'utf8');
  const named = (kind, pattern) =>
    [...source.matchAll(pattern)].map(([, op]) => [op, `${kind}${op[0].toUpperCase()}${op.slice(1)}`]);
  return {
    unary: named('unary', /^@inline export function (\w+)\(x: v128\): v128/gm),
    binary: named('binary', /^@inline export function (\w+)\(a: v128, b: v128\): v128/gm),
  };
}

/**
 * A kernel for each elementwise function: `unary` or `binary` of elementwise.ts, compiled with a code that says which
 * function `unaryValue` or `binaryValue` stands for. Kernels of their own, because engines spill registers where loops
 * share one.
 */
function elementwiseKernels({ unary, binary }) {
  const kernels = (kind, ops, vectors, operands) => {
    const declare = (names, type) => names.map((name) => `${name}: ${type}`).join(', ');
    const values = ops.map(([op], code) => `op == ${code} ? ops.${op}(${vectors.join(', ')}) :`);
    const parameters = `begin: i32, end: i32, scratch: usize, ${declare(operands, 'usize')}`;
    return [
      `@inline export function ${kind}Value(op: i32, ${declare(vectors, 'v128')}): v128 {`,
      `  return ${values.join(' ')} i32x4.splat(0);`,
      '}',
      ...ops.flatMap(([, kernel], code) => [
        `export function ${kernel}(${parameters}): void {`,
        `  ops.${kind}(${code}, begin, end, scratch, ${operands.join(', ')});`,
        '}',
      ]),
    ];
  };
  return [
    `import * as ops from './elementwise';`,
    ...kernels('unary', unary, ['x'], ['x', 'out']),
    ...kernels('binary', binary, ['a', 'b'], ['a', 'b', 'out']),
  ].join('\n');
}

/**
 * The fields of every plan the host writes and kernels read, in order: the unmanaged classes of the sources. Those that
 * are floats are listed once more.
 */
function layouts() {
  const all = {};
  const floats = {};
  for (const file of readdirSync(sources).sort()) {
    const source = readFileSync(join(sources, file), 'utf8');
    for (const [, name, body] of source.matchAll(/@unmanaged\n(?:export )?class (\w+) \{\n([\s\S]*?)\n\}/g)) {
      const fields = [...body.matchAll(/^ {2}(\w+): (usize|i32|f32) = 0;$/gm)];
      all[name] = fields.map(([, field]) => field);
      floats[name] = fields.filter(([, , type]) => type === 'f32').map(([, field]) => field);
    }
  }
  return { all, floats };
}

const mapped = (files, change) => Object.fromEntries(Object.entries(files).map(([name, text]) => [name, change(text)]));

async function trainerLines() {
  const { unary, binary } = elementwiseOps();
  const elementwise = elementwiseKernels({ unary, binary });
  const compiled = await compileKernels({
    ...mapped(sourcesOf(sources), unrolled),
    'elementwise.generated.ts': elementwise,
  });
  const { all, floats } = layouts();
  const table = (ops) => `{ ${ops.map(([op, kernel]) => `${op}: '${kernel}'`).join(', ')} } as const`;
  return [
    "import type { BinaryOp, UnaryOp } from '../backend.js';",
    "import type { PackedBinaries } from './unpack.js';",
    ...kernelLines(compiled.types),
    '/** Fields of the plans kernels read, a word each. */',
    `export const layouts = ${JSON.stringify(all)} as const;`,
    `export const floats: Readonly<Record<keyof typeof layouts, readonly string[]>> = ${JSON.stringify(floats)};`,
    '/** The kernel of each elementwise op: none of the contract is missing, and none is more. */',
    `export const unaryKernels = ${table(unary)} satisfies Record<UnaryOp, keyof Kernels>;`,
    `export const binaryKernels = ${table(binary)} satisfies Record<BinaryOp, keyof Kernels>;`,
    ...binaryLines(compiled),
  ];
}

async function runtimeLines() {
  const compiled = await compileKernels(mapped(sourcesOf(join(runtime, 'assembly')), widened));
  return [
    "import type { PackedBinaries } from '../../../kernels/wasm/unpack.js';",
    ...kernelLines(compiled.types),
    ...binaryLines(compiled),
  ];
}

try {
  const print = (folder) => fingerprint(folder, scripts);
  await generate(join(root, 'lib/kernels/wasm/binaries.generated.ts'), print(sources), trainerLines);
  await generate(join(runtime, 'kernels.generated.ts'), print(join(runtime, 'assembly')), runtimeLines);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
