import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { RequiredKernels } from '../backend.js';
import type { Content } from './content.js';
import { type Operand, operand } from './map.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, input, kernelSource, loop, shifted, times } from './source.js';
import { tileCounts, untile } from './tiles.js';
import { available, type Tuner } from './tuner.js';
import { TILES, type Tile } from './variants.js';

/** Products added up before their sum is added to the total, so that long sums do not drift. */
const CHUNK = 128;

/** Products written out in a loop's body. */
const UNROLLED = 4;

/**
 * Statements that add up `count` terms, chunk by chunk, into `s0 … s{sums − 1}`. `terms(first, many, parts)` gives
 * statements that add the terms `first … first + many − 1` to the sums whose names start with `parts`.
 */
function inChunks(count: number, sums: number, terms: (first: string, many: number, parts: string) => string): string {
  const each = (text: (n: number) => string) => Array.from({ length: sums }, (_, n) => `${text(n)}\n`).join('');
  const chunks = Math.floor(count / CHUNK);
  const rest = count - chunks * CHUNK;
  const inChunk = `const p = q * ${UNROLLED} + chunk * ${CHUNK};\n${terms('p', UNROLLED, 'part')}`;
  const chunk = `${each((n) => `let part${n} = 0;`)}${loop('q', CHUNK / UNROLLED, inChunk)}
${each((n) => `s${n} = s${n} + part${n};`)}`;
  const blocks = Math.floor(rest / UNROLLED);
  const last = chunks * CHUNK + blocks * UNROLLED;
  const inBlocks = `const p = q * ${UNROLLED} + ${chunks * CHUNK};\n${terms('p', UNROLLED, 'tail')}`;
  const end = last < count ? `const end = ${last};\n${terms('end', count - last, 'tail')}` : '';
  const tail = `${each((n) => `let tail${n} = 0;`)}${blocks > 0 ? loop('q', blocks, inBlocks) : ''}
${end}${each((n) => `s${n} = s${n} + tail${n};`)}`;
  return `${each((n) => `let s${n} = 0;`)}${chunks > 0 ? loop('chunk', chunks, chunk) : ''}
${rest > 0 ? tail : ''}`;
}

/** Batched matrix products. */
export function productKernels(runtime: Runtime, tuner: Tuner) {
  return {
    matmul(a, b) {
      const [batch, rows, depth] = a.shape;
      const columns = b.shape[2];
      const shape = [batch, rows, columns];
      if (sizeOf(shape) === 0 || depth === 0) return runtime.result(runtime.filled(sizeOf(shape), 0), shape);
      const extents = [batch, rows, depth, columns] as const;
      return runtime.result(multiply(runtime, tuner, extents, operand(runtime, a), operand(runtime, b)), shape);
    },
  } satisfies Partial<RequiredKernels>;
}

/** `left [batch, rows, depth] · right [batch, depth, columns]`, none of them 0. */
export function multiply(
  runtime: Runtime,
  tuner: Tuner,
  [batch, rows, depth, columns]: readonly [number, number, number, number],
  left: Operand,
  right: Operand,
): Content {
  const shape = [batch, rows, columns];
  runtime.checkLength(sizeOf(shape));
  const candidate = (tile: Tile) => ({
    variant: tile.variant,
    run: runtime.fits(batch * sizeOf(tileCounts([rows, columns], tile)) * tile.rows * tile.columns)
      ? () => untile(runtime, tiledProduct(runtime, shape, depth, left, right, tile), shape, tile)
      : null,
  });
  const plain = { variant: 'plain', run: () => tiledProduct(runtime, shape, depth, left, right, SINGLE) } as const;
  const op = `matmul [${batch}, ${rows}, ${depth}] · [${batch}, ${depth}, ${columns}]`;
  const inputs = [left.content, right.content];
  return tuner.run(op, sizeOf(shape) * depth, inputs, available(plain, ...TILES.map(candidate)));
}

const SINGLE: Tile = { variant: 'plain', rows: 1, columns: 1 };

/** A tile of dot products a thread; where tiles hang over, the last row or column is computed again. */
function tiledProduct(
  runtime: Runtime,
  [batch, rows, columns]: Shape,
  depth: number,
  left: Operand,
  right: Operand,
  tile: Tile,
): Content {
  const counts = tileCounts([rows, columns], tile);
  const { code, at } = coordinates('i', [batch, ...counts], 'c');
  const perThread = tile.rows * tile.columns;
  /** Statements that declare where each row of the left (column of the right) operand of a tile starts. */
  const starts = (name: string, count: number, position: string, extent: number, start: (at: string) => string) =>
    Array.from({ length: count }, (_, n) => {
      const plain = shifted(times(position, count), n);
      const own = extent % count === 0 || n === 0 ? plain : `Math.min(${plain}, ${extent - 1})`;
      return count === 1
        ? `const ${name}0 = ${start(position)};\n`
        : `const ${name}At${n} = ${own};\nconst ${name}${n} = ${start(`${name}At${n}`)};\n`;
    }).join('');
  const rowStarts = starts('row', tile.rows, at[1], rows, (row) => address(left, [at[0], row, '0']));
  const columnStarts = starts('column', tile.columns, at[2], columns, (column) => address(right, [at[0], '0', column]));
  const [leftStep, rightStep] = [left.strides[2], right.strides[1]];
  const terms = (first: string, many: number, parts: string): string => {
    let text = `const down = ${times(first, leftStep)};\nconst across = ${times(first, rightStep)};\n`;
    for (let p = 0; p < many; p++) {
      for (let r = 0; r < tile.rows; r++)
        text += `const l${p}_${r} = ${input(0)}[${shifted(`row${r} + down`, p * leftStep)}];\n`;
      for (let c = 0; c < tile.columns; c++) {
        text += `const r${p}_${c} = ${input(1)}[${shifted(`column${c} + across`, p * rightStep)}];\n`;
        for (let r = 0; r < tile.rows; r++) {
          const sum = `${parts}${r * tile.columns + c}`;
          text += `${sum} = ${sum} + l${p}_${r} * r${p}_${c};\n`;
        }
      }
    }
    return text;
  };
  const names = Array.from({ length: perThread }, (_, n) => `s${n}`);
  const result = perThread === 1 ? 's0' : `[${names.join(', ')}]`;
  const body = `${code}${rowStarts}${columnStarts}${inChunks(depth, perThread, terms)}return ${result};`;
  const length = batch * counts[0] * counts[1] * perThread;
  return runtime.run(kernelSource(2, 0, body), length, [left.content, right.content], [], perThread);
}
