import type { Random } from '../../lib/tensor/random.js';

/** Bytes at the edges of ranges, and markers of formats. */
const ODD_BYTES = [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0xd8, 0xd9, 0xda, 0xc0, 0xc2, 0xc4];

/** What a JSON value may be mistaken for. */
const ODD_VALUES = [
  ...[
    'null',
    'true',
    '[]',
    '{}',
    '""',
    '0',
    '-1',
    '0.5',
    '1e999',
    '-1e999',
    '1e308',
    '9007199254740993',
    '1e12',
    '2e9',
  ],
  ...['"constructor"', '"__proto__"', '{"__proto__":1}', '[[[[[[[[]]]]]]]]', '"NaN"', '[null]', '[1e9,1e9]', '65536'],
];

const ODD_NAMES = ['__proto__', 'constructor', 'toString', '', 'kind'];

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.integer(from.length)];
}

function range(length: number, random: Random): [number, number] {
  const from = random.integer(length + 1);
  const most = random.integer(4) === 0 ? length : 16;
  return [from, Math.min(length, from + random.integer(most + 1))];
}

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

const MUTATIONS: readonly Mutation[] = [
  function flip(bytes, random) {
    if (bytes.length > 0) bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
    return bytes;
  },
  function overwrite(bytes, random) {
    const value = random.integer(2) === 0 ? pick(ODD_BYTES, random) : random.integer(256);
    return bytes.fill(value, ...range(bytes.length, random));
  },
  function cut(bytes, random) {
    return bytes.slice(0, random.integer(bytes.length + 1));
  },
  function remove(bytes, random) {
    const [from, to] = range(bytes.length, random);
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  function repeat(bytes, random) {
    const [from, to] = range(bytes.length, random);
    return joined(bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to));
  },
  function insert(bytes, random) {
    const at = random.integer(bytes.length + 1);
    const noise = Uint8Array.from({ length: random.integer(9) }, () => random.integer(256));
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
  function splice(bytes, random, others) {
    const other = pick(others, random);
    return joined(
      bytes.subarray(0, random.integer(bytes.length + 1)),
      other.subarray(random.integer(other.length + 1)),
    );
  },
];

/** A file that was damaged in one to four places. */
export function mutateBytes(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes: Uint8Array = pick(seeds, random).slice();
  for (let left = 1 + random.integer(4); left > 0; left--) bytes = pick(MUTATIONS, random)(bytes, random, seeds);
  return bytes;
}

/** A text of JSON in which values or names were exchanged; a quarter are damaged as bytes are. */
export function mutateJson(seeds: readonly string[], random: Random): string {
  if (random.integer(4) === 0) {
    const bytes = seeds.map((seed) => new TextEncoder().encode(seed));
    return new TextDecoder().decode(mutateBytes(bytes, random));
  }
  let text = pick(seeds, random);
  for (let left = 1 + random.integer(3); left > 0; left--) {
    const name = random.integer(5) === 0;
    const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.e+-]*|true|false|null/g)];
    const places = tokens.filter(([, colon]) => (colon !== undefined) === name);
    if (places.length === 0) break;
    const found = pick(places, random);
    const odd = name ? `"${pick(ODD_NAMES, random)}":` : oddValue(found[0], random);
    text = text.slice(0, found.index) + odd + text.slice(found.index + found[0].length);
  }
  return text;
}

/** Another value, or a number near the one that was there. */
function oddValue(value: string, random: Random): string {
  if (!/^[-\d]/.test(value) || random.integer(2) === 0) return pick(ODD_VALUES, random);
  const factor = pick([-1, 0.5, 2, 1000, 1e6, 1e9], random);
  return String(Number(value) * factor);
}
