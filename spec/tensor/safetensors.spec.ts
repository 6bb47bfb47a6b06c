import t from 'tap';
import { DataError } from '../../lib/tensor/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';

/** A file by hand: length, header text, data bytes. */
function file(header: string, data: readonly number[] = []): Uint8Array {
  const text = [...header].map((letter) => letter.charCodeAt(0));
  const length = [text.length & 255, text.length >> 8, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...length, ...text, ...data]);
}

t.test('the bytes of a small file', async (t) => {
  const tensors = new Map([['a', { shape: [2], data: Float32Array.of(1, -2) }]]);
  const header = '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
  t.equal(header.length, 79, 'one short of a multiple of eight');
  const want = file(`${header} `, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  t.same(encodeSafetensors({ tensors, metadata: { k: 'v' } }), want);
  const read = decodeSafetensors(want, 'x');
  t.same(read.metadata, { k: 'v' });
  t.same([...read.tensors], [['a', { shape: [2], data: Float32Array.of(1, -2) }]]);
});

t.test('what goes in comes out, wider dtypes first', async (t) => {
  const tensors = new Map([
    ['counter', { shape: [], data: Int32Array.of(-7) }],
    ['empty', { shape: [0, 3], data: new Float32Array(0) }],
    ['wide', { shape: [1, 2], data: Float64Array.of(0.1, Number.MAX_VALUE) }],
    ['weight', { shape: [2, 2], data: Float32Array.of(1, 2, 3, Number.NaN) }],
  ]);
  const bytes = encodeSafetensors({ tensors, metadata: {} });
  const read = decodeSafetensors(bytes, 'x');
  t.same([...read.tensors.keys()], ['wide', 'counter', 'empty', 'weight']);
  for (const [name, tensor] of tensors) t.same(read.tensors.get(name), tensor, name);
  t.same(encodeSafetensors(read), bytes, 'the same bytes again');
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  t.same(decodeSafetensors(shifted.subarray(3), 'x').tensors.get('wide'), tensors.get('wide'), 'unaligned memory');
});

t.test('names are kept whatever they are, and so is their order', async (t) => {
  const lists = [
    ['a', '__proto__', 'b'],
    ['b', '10', '2', '-1'],
    ['constructor', 'toString', 'hasOwnProperty'],
    ['', '"', '\\', 'a,"b":{', '[', '\u2028', 'é', '😀', '\n'],
  ];
  for (const names of lists) {
    const tensors = new Map(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
    const metadata = JSON.parse('{"__proto__":"p","7":"seven","constructor":"c"}');
    const read = decodeSafetensors(encodeSafetensors({ tensors, metadata }), 'x');
    t.same([...read.tensors], [...tensors], `${names.length} names`);
    t.same(Object.entries(read.metadata), Object.entries(metadata));
  }
  const spaced =
    ' { "b" : {"dtype":"F32", "shape":[0], "data_offsets":[0,0]} ,"1":{"data_offsets":[0,0],"shape":[0],"dtype":"I8"}}';
  t.same([...decodeSafetensors(file(spaced), 'x').tensors.keys()], ['b', '1'], 'as other programs write them');
});

t.test('dtypes of other programs', async (t) => {
  const one = (dtype: string, bytes: readonly number[], shape = '[1]') =>
    decodeSafetensors(
      file(`{"x":{"dtype":"${dtype}","shape":${shape},"data_offsets":[0,${bytes.length}]}}`, bytes),
      'x',
    ).tensors.get('x')?.data;
  t.same(one('F16', [0x00, 0x3c]), Float32Array.of(1));
  t.same(one('F16', [0x01, 0x00]), Float32Array.of(2 ** -24), 'smallest subnormal');
  t.same(one('F16', [0xff, 0xfb]), Float32Array.of(-65504), 'largest negative');
  t.same(one('F16', [0x00, 0xfc]), Float32Array.of(Number.NEGATIVE_INFINITY));
  t.same(one('BF16', [0xc0, 0xbf]), Float32Array.of(-1.5));
  t.same(one('I64', [3, 0, 0, 0, 0, 0, 0, 0]), Int32Array.of(3));
  t.same(one('I16', [0xfe, 0xff]), Int32Array.of(-2));
  t.same(one('U8', [200, 1], '[2]'), Int32Array.of(200, 1));
  t.same(one('I8', [200]), Int32Array.of(-56));
  t.same(one('BOOL', [1]), Int32Array.of(1));
  t.throws(() => one('I64', [0, 0, 0, 0, 1, 0, 0, 0]), { message: /x holds integers beyond int32/ });
});

t.test('malformed files are refused with their name', async (t) => {
  const entry = (offsets: string, rest = '"dtype":"F32","shape":[1]') => `{${rest},"data_offsets":${offsets}}`;
  const four = [0, 0, 0, 0];
  const cases: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /only 0 bytes/],
    ['huge header', Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255, 1]), /beyond the format's limit/],
    ['header beyond the file', file('{}').fill(9, 0, 1), /ends beyond the file of 10; truncated/],
    ['no JSON', file('{"a":'), /header is not JSON/],
    ['bad UTF-8', Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /header is not JSON/],
    ['JSON but no object', file('[1]'), /header is not a JSON object/],
    ['metadata of numbers', file('{"__metadata__":{"a":1}}'), /__metadata__\.a is not a string/],
    ['no entry', file('{"a":3}'), /a is not an object/],
    [
      'unknown dtype',
      file(`{"a":${entry('[0,4]', '"dtype":"F8_E5M2","shape":[4]')}}`, four),
      /dtype F8_E5M2; known are/,
    ],
    [
      'inherited name as dtype',
      file(`{"a":${entry('[0,4]', '"dtype":"toString","shape":[1]')}}`, four),
      /dtype toString/,
    ],
    ['negative extent', file(`{"a":${entry('[0,4]', '"dtype":"F32","shape":[-1]')}}`, four), /no shape/],
    ['offsets reversed', file(`{"a":${entry('[4,0]')}}`, four), /no data_offsets/],
    ['wrong size', file(`{"a":${entry('[0,4]', '"dtype":"F32","shape":[2]')}}`, four), /needs 8 bytes; it has 4/],
    ['out of the file', file(`{"a":${entry('[0,4]')}}`, [0, 0]), /a ends at byte 4 of 2; truncated/],
    ['a name twice', file(`{"a":${entry('[0,4]')},"a":${entry('[0,4]')}}`, four), /a occurs twice in the header/],
    [
      'numbers that overflow',
      file(`{"a":${entry('[0,4]', '"dtype":"F32","shape":[9007199254740991,9007199254740991]')}}`, four),
      /needs 3\.2\d*e\+32 bytes; it has 4/,
    ],
    ['a long name', file(`{"${'n'.repeat(200)}":3}`), /: n{77}… is not an object/],
    ['overlap', file(`{"a":${entry('[0,4]')},"b":${entry('[0,4]')}}`, four), /b overlaps another tensor/],
    ['gap', file(`{"a":${entry('[4,8]')}}`, [...four, ...four]), /bytes 0 to 4 belong to no tensor/],
    ['left over', file(`{"a":${entry('[0,4]')}}`, [...four, 1]), /1 bytes at the end/],
  ];
  for (const [what, bytes, message] of cases) {
    t.throws(() => decodeSafetensors(bytes, 'some.file'), DataError, what);
    t.throws(() => decodeSafetensors(bytes, 'some.file'), { message: /some\.file: / }, `${what}: names the file`);
    t.throws(() => decodeSafetensors(bytes, 'some.file'), { message }, `${what}: says why`);
  }
});

t.test('every truncation of a good file is refused', async (t) => {
  const bytes = encodeSafetensors({
    tensors: new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]),
    metadata: { k: 'v' },
  });
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeSafetensors(bytes.subarray(0, length), 'x'), DataError, `${length} bytes`);
  }
});

t.test('tensors that cannot be stored', async (t) => {
  const store = (name: string, shape: number[]) => () =>
    encodeSafetensors({ tensors: new Map([[name, { shape, data: new Float32Array(2) }]]), metadata: {} });
  t.throws(store('a', [3]), { message: /cannot store a of shape \[3\]/ });
  t.throws(store('__metadata__', [2]), DataError);
});
