/**
 * Compiles lib/kernels/wasm/assembly into one TypeScript module that holds the binaries, compressed, as base64 (plain
 * SIMD, and what relaxed SIMD has instead), the signatures of all kernels, the fields of their plans and the kernels of
 * elementwise ops, so that browsers and bundlers need not fetch anything. Skips when neither the sources, this script
 * nor the compiler have changed; prints errors only.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import asc from 'assemblyscript/asc';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'lib/kernels/wasm/assembly');
const target = join(root, 'lib/kernels/wasm/binaries.generated.ts');

const FLAGS = '-O3 --noAssert --runtime stub --importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536';
const BUILDS = { plain: 'simd,threads', relaxed: 'simd,threads,relaxed-simd' };

function fingerprint() {
  const hash = createHash('sha256')
    .update(asc.version)
    .update(readFileSync(fileURLToPath(import.meta.url)));
  for (const file of readdirSync(sources).sort()) hash.update(file).update(readFileSync(join(sources, file)));
  return hash.digest('hex');
}

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

async function compile(features) {
  const outputs = {};
  const messages = [];
  const files = Object.fromEntries(
    readdirSync(sources).map((file) => [file, readFileSync(join(sources, file), 'utf8')]),
  );
  files['elementwise.generated.ts'] = elementwiseKernels(elementwiseOps());
  const { error } = await asc.main(
    [
      'index.ts',
      '-o',
      'kernels.wasm',
      '--bindings',
      'raw',
      '--use',
      'abort=',
      '--disableWarning',
      '--enable',
      features,
    ].concat(FLAGS.split(' ')),
    {
      readFile: (name) => (name in files ? unrolled(files[name]) : null),
      listFiles: () => [],
      writeFile: (name, contents) => {
        outputs[name] = contents;
      },
      stdout: { write: () => true },
      stderr: { write: (text) => messages.push(text) },
    },
  );
  if (error) throw new Error(`${messages.join('')}${error.message}`);
  return { binary: Buffer.from(outputs['kernels.wasm']), types: outputs['kernels.d.ts'] };
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

/** The fewest equal bytes worth copying. */
const SEED = 12;

/**
 * How to make one binary from another, from which it differs little.
 * @returns triples (start and length of what is copied from `base`, length of what follows from `literals`)
 */
function difference(base, wanted) {
  const key = (bytes, at) => bytes.toString('latin1', at, at + SEED);
  const places = new Map();
  for (let at = base.length - SEED; at >= 0; at--) places.set(key(base, at), at);
  const steps = [0, 0, 0];
  const literals = [];
  for (let at = 0; at < wanted.length; ) {
    const from = places.get(key(wanted, at));
    let length = 0;
    if (from !== undefined) while (at + length < wanted.length && base[from + length] === wanted[at + length]) length++;
    if (length >= SEED) steps.push(from, length, 0);
    else {
      literals.push(wanted[at]);
      steps[steps.length - 1]++;
    }
    at += Math.max(1, length >= SEED ? length : 1);
  }
  return { steps, literals: Buffer.from(literals) };
}

const header = `/** Generated by scripts/build-wasm.mjs; ${fingerprint()} */`;
let current = '';
try {
  current = readFileSync(target, 'utf8');
} catch {
  // first build
}
if (!current.startsWith(header)) {
  try {
    const plain = await compile(BUILDS.plain);
    const relaxed = await compile(BUILDS.relaxed);
    const { steps, literals } = difference(plain.binary, relaxed.binary);
    const packed = deflateRawSync(Buffer.concat([plain.binary, literals]), { level: 9 }).toString('base64');
    const signatures = [
      ...plain.types.matchAll(/export function (\w+)\((begin: number, end: number, scratch: number.*?)\): void;/g),
    ];
    const { all, floats } = layouts();
    const { unary, binary } = elementwiseOps();
    const table = (ops) => `{ ${ops.map(([op, kernel]) => `${op}: '${kernel}'`).join(', ')} } as const`;
    const lines = [
      header,
      "import type { BinaryOp, UnaryOp } from '../backend.js';",
      '/** The kernels with the names and order of their arguments. */',
      'export interface Kernels {',
      ...signatures.map(([, name, parameters]) => `  ${name}(${parameters}): void;`),
      '}',
      '/** Fields of the plans kernels read, a word each. */',
      `export const layouts = ${JSON.stringify(all)} as const;`,
      `export const floats: Readonly<Record<keyof typeof layouts, readonly string[]>> = ${JSON.stringify(floats)};`,
      '/** The kernel of each elementwise op: none of the contract is missing, and none is more. */',
      `export const unaryKernels = ${table(unary)} satisfies Record<UnaryOp, keyof Kernels>;`,
      `export const binaryKernels = ${table(binary)} satisfies Record<BinaryOp, keyof Kernels>;`,
      '/** Bytes of the plain binary; those that only the relaxed one has come after it in `packed`. */',
      `export const plainBytes = ${plain.binary.length};`,
      `export const literalBytes = ${literals.length};`,
      '/** Steps to the relaxed binary: start and length of a copy from the plain one, bytes of its own after that. */',
      `export const relaxedSteps: readonly number[] = ${JSON.stringify(steps)};`,
      '/** Both, raw deflate, base64. */',
      `export const packed =\n  '${packed}';`,
    ];
    writeFileSync(`${target}.${process.pid}`, `${lines.join('\n')}\n`);
    renameSync(`${target}.${process.pid}`, target);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
