import t from 'tap';
import { readNpy } from '../../../lib/deploy/exchange/npy.js';
import { ArgumentError, DataError } from '../../../lib/tensor/errors.js';

/** A file as NumPy writes it. */
function npy(header: string, numbers: Uint8Array | ArrayBuffer, version = 1): Uint8Array {
  const size = version === 1 ? 2 : 4;
  const padded = `${header.padEnd(Math.ceil((header.length + 1 + 8 + size) / 64) * 64 - 9 - size)}\n`;
  const length = new Uint8Array(Uint32Array.of(padded.length).buffer).subarray(0, size);
  const text = new TextEncoder().encode(padded);
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    version,
    0,
    ...length,
    ...text,
    ...new Uint8Array(numbers),
  ]);
}

const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`;

t.test('arrays of every type that is read', async (t) => {
  const cases = [
    ['<f4', 'float32', Float32Array.of(0.5, -1, 3)],
    ['<f8', 'float64', Float64Array.of(0.1, -1, 3)],
    ['|i1', 'int8', Int8Array.of(-128, 0, 127)],
    ['|u1', 'uint8', Uint8Array.of(0, 1, 255)],
    ['<i2', 'int16', Int16Array.of(-1, 2, 300)],
    ['<u2', 'uint16', Uint16Array.of(1, 2, 65535)],
    ['<i4', 'int32', Int32Array.of(-1, 2 ** 30, 3)],
    ['<u4', 'uint32', Uint32Array.of(1, 2 ** 31, 3)],
    ['<i8', 'int64', BigInt64Array.of(-1n, 2n ** 40n, 3n)],
    ['<u8', 'uint64', BigUint64Array.of(1n, 2n ** 40n, 3n)],
  ] as const;
  for (const [descr, type, data] of cases) {
    const read = readNpy(npy(header(descr, '3,'), data.buffer), 'x.npy');
    t.same(read, { type, shape: [3], data });
  }
  t.same(readNpy(npy(header('|u1', '2, 3'), Uint8Array.of(1, 2, 3, 4, 5, 6), 2), 'x.npy').shape, [2, 3]);
  t.same(readNpy(npy(header('|u1', ''), Uint8Array.of(1), 3), 'x.npy').shape, [], 'one number');
  t.same(readNpy(npy(header('<f4', '0, 3'), new Uint8Array(0)), 'x.npy').data.length, 0);
});

t.test('a file that begins anywhere in memory', async (t) => {
  const file = npy(header('<i4', '2,'), Int32Array.of(5, 6).buffer);
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  t.same([...readNpy(shifted.subarray(3), 'x.npy').data], [5, 6]);
});

t.test('damaged files are refused by name', async (t) => {
  const good = npy(header('<f4', '3,'), Float32Array.of(1, 2, 3).buffer);
  t.throws(() => readNpy(good.subarray(0, good.length - 1), 'x.npy'), { message: /x\.npy has 11 bytes of numbers/ });
  t.throws(() => readNpy(new Uint8Array(20), 'x.npy'), { message: 'npy: x.npy is no .npy file' });
  t.throws(() => readNpy(good.subarray(0, 40), 'x.npy'), { message: /cut off in its header/ });
  t.throws(() => readNpy(npy(header('<f4', '3,', 'True'), new Uint8Array(12)), 'x.npy'), { message: /Fortran/ });
  t.throws(() => readNpy(npy(header('>f4', '3,'), new Uint8Array(12)), 'x.npy'), {
    message: /'>f4', which is not read/,
  });
  t.throws(() => readNpy(npy(header('|O', '3,'), new Uint8Array(12)), 'x.npy'), DataError);
  t.throws(() => readNpy(npy(header('<constructor', '3,'), new Uint8Array(12)), 'x.npy'), DataError);
  t.throws(() => readNpy(npy(header('<f4', '99999999999, 99999999999'), new Uint8Array(12)), 'x.npy'), DataError);
  t.throws(() => readNpy(npy('{}', new Uint8Array(12)), 'x.npy'), { message: /header that is not understood/ });
  t.throws(() => readNpy(npy(header('<f4', '3,'), new Uint8Array(12), 4), 'x.npy'), { message: /format 4/ });
  t.throws(() => readNpy([1] as never, 'x.npy'), ArgumentError);
  for (let i = 0; i < good.length; i++) {
    for (const value of [0, 39, 255]) {
      const damaged = Uint8Array.from(good);
      damaged[i] = value;
      try {
        readNpy(damaged, 'x.npy');
      } catch (error) {
        t.ok(error instanceof DataError, `byte ${i} = ${value}`);
      }
    }
  }
});
