import type { IntegerTensor } from '../../graph/graph.js';

/** Widest line of the source that is written. */
const LINE = 116;

/** A word as an identifier of C, unique among `taken`, to which it is added. */
export function identifier(word: string, taken: Set<string>): string {
  const plain = word.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '') || 'value';
  const short = plain.slice(0, 32);
  let name = short;
  for (let n = 2; taken.has(name); n++) name = `${short}_${n}`;
  taken.add(name);
  return name;
}

/** Words inside of a comment: what could end it, or mean something there, becomes a blank. */
export function comment(words: string): string {
  return words.replace(/[^\x20-\x7e…×·≥−]|[*/?\\]/g, ' ').slice(0, 200);
}

/** An array of constants in lines. */
export function constants(type: string, name: string, values: ArrayLike<number | string>): string {
  const lines: string[] = [];
  let line = '';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const item = `${typeof value === 'number' ? cInteger(value) : value}${i === values.length - 1 ? '' : ','}`;
    if (line.length + item.length > LINE) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? item : ` ${item}`;
  }
  lines.push(line);
  return `static const ${type} ${name}[${values.length}] = {\n  ${lines.join('\n  ')}\n};\n`;
}

/** An int32; the smallest has no literal of its own in C. */
export function cInteger(value: number): string {
  return value === -(2 ** 31) ? '(-2147483647 - 1)' : String(value);
}

/** A float32, to the last bit. */
export function realLiteral(value: number): string {
  return Math.fround(value).toExponential(16);
}

/** Statements one level further in. */
export function indented(code: string): string {
  return code.replace(/^(?=.)/gm, '  ');
}

/** Loops, one inside the other: `[variable, rounds]`. */
export function loops(heads: readonly (readonly [string, number])[], body: string): string {
  return heads.reduceRight(
    (inner, [variable, count]) =>
      `for (int32_t ${variable} = 0; ${variable} < ${count}; ${variable}++) {\n${indented(inner)}}\n`,
    body,
  );
}

/** What values are held in, the narrowest first. */
export const TYPES = [
  { type: 'int8_t', low: -128, high: 127 },
  { type: 'uint8_t', low: 0, high: 255 },
  { type: 'int16_t', low: -(2 ** 15), high: 2 ** 15 - 1 },
  { type: 'int32_t', low: -(2 ** 31), high: 2 ** 31 - 1 },
] as const;

export type CType = (typeof TYPES)[number]['type'];

/** The narrowest type that holds all integers of a range, which lies in int32. */
export function typeOfRange({ low, high }: { readonly low: number; readonly high: number }): CType {
  return TYPES.find((each) => low >= each.low && high <= each.high)?.type ?? 'int32_t';
}

/** The type of a tensor's array. */
export function typeOfTensor({ data }: IntegerTensor): CType {
  return data instanceof Int8Array ? 'int8_t' : data instanceof Int16Array ? 'int16_t' : 'int32_t';
}
