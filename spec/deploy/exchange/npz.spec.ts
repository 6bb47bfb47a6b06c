import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import npz from '../../../lib/deploy/exchange/formats/npz.js';
import { type NpyArray, readNpy, writeNpy } from '../../../lib/deploy/exchange/npy.js';
import { encodeZip } from '../../../lib/deploy/exchange/zip.js';
import { crc32 } from '../../../lib/tensor/crc32.js';
import { Random } from '../../../lib/tensor/random.js';
import { randomGraph } from '../randomGraph.js';

/** The stored entries of an archive, read from its end as the format says. */
function unzip(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 22;
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error('no end of an archive');
  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < view.getUint16(end + 10, true); i++) {
    const [crc, size, length] = [at + 16, at + 24, at + 28].map((field, j) =>
      j === 2 ? view.getUint16(field, true) : view.getUint32(field, true),
    );
    const offset = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length));
    const data = bytes.subarray(offset + 30 + length, offset + 30 + length + size);
    if (view.getUint32(offset, true) !== 0x04034b50 || crc32(data) !== crc) throw new Error(`${name} is damaged`);
    entries.set(name, data);
    at += 46 + length;
  }
  return entries;
}

t.test('an archive of every tensor, and the graph', (t) => {
  const graph = randomGraph({ seed: 1 });
  const bytes = npz.encode(graph, { name: 'net', opName: 'Quant', fused: false }) as Uint8Array;
  const entries = unzip(bytes);
  t.same([...entries.keys()], ['graph.npy', ...[...graph.tensors.keys()].map((key) => `${key}.npy`)]);
  for (const [key, { shape, data }] of graph.tensors) {
    const read = readNpy(entries.get(`${key}.npy`) as Uint8Array, key);
    t.same({ shape: read.shape, data: read.data }, { shape, data }, key);
  }
  const text = readNpy(entries.get('graph.npy') as Uint8Array, 'graph').data as Uint8Array;
  const { format, name, nodes } = JSON.parse(new TextDecoder().decode(text)) as Record<string, unknown>;
  t.same({ format, name, nodes }, { format: 'a2q-integers', name: 'net', nodes: graph.nodes });
  t.equal(encodeZip(new Map()).length, 22, 'an archive may be empty');
  t.end();
});

t.test('arrays of every type and rank come back', (t) => {
  const arrays: NpyArray['data'][] = [
    Int8Array.of(-128, 127),
    Uint8Array.of(0, 255),
    Int16Array.of(-32768, 32767),
    Uint16Array.of(0, 65535),
    Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
    Uint32Array.of(0, 2 ** 32 - 1),
    BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
    BigUint64Array.of(0n, 2n ** 64n - 1n),
    Float32Array.of(0.5, Number.NEGATIVE_INFINITY),
    Float64Array.of(0.1, 1e300),
  ];
  for (const data of arrays) {
    for (const shape of [[2], [1, 2], [2, 1, 1]]) {
      const bytes = writeNpy({ shape, data });
      t.equal((bytes.length - data.byteLength) % 64, 0, 'numbers begin where NumPy aligns them');
      const read = readNpy(bytes, 'x.npy');
      t.same({ shape: read.shape, data: read.data }, { shape, data });
    }
  }
  t.same(readNpy(writeNpy({ shape: [], data: Int8Array.of(3) }), 'x'), {
    ...{ type: 'int8', shape: [], data: Int8Array.of(3) },
  });
  t.throws(() => writeNpy({ shape: [3], data: Int8Array.of(1) }), { name: 'DataError' });
  t.end();
});

t.test('what others wrote, and what is no array', (t) => {
  const file = (header: string, numbers: readonly number[], version = 1) => {
    const text = new TextEncoder().encode(header);
    const length = version === 1 ? [text.length, 0] : [text.length, 0, 0, 0];
    return Uint8Array.of(0x93, ...new TextEncoder().encode('NUMPY'), version, 0, ...length, ...text, ...numbers);
  };
  const header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n";
  const read = { type: 'int16', shape: [2], data: Int16Array.of(513, -257) };
  t.same(readNpy(file(header, [1, 2, 255, 254]), 'x'), read);
  t.same(readNpy(file(header, [1, 2, 255, 254], 2), 'x'), read);
  const name = 'DataError';
  for (const [bytes, message] of [
    [new Uint8Array(3), /x\.npy is no \.npy file/],
    [file(header, [1]), /has 1 bytes of numbers; its shape \[2\] wants 4/],
    [file(header, [1, 2, 3, 4], 9), /is of format 9/],
    [file(header.replace('<i2', '>i2'), []), /holds '>i2', which is not read/],
    [file(header.replace('<i2', '<c8'), []), /holds '<c8', which is not read/],
    [file(header.replace('False', 'True'), [1, 2, 3, 4]), /Fortran order/],
    [file(header.replace('(2,)', '(9999999999, 9999999999)'), []), /its shape/],
    [file('{}', []), /a header that is not understood/],
    [file(header, []).subarray(0, 20), /cut off in its header/],
  ] as const) {
    t.throws(() => readNpy(bytes, 'x.npy'), { name, message });
  }
  const random = new Random(1);
  const bytes = file(header, [1, 2, 3, 4]);
  for (let i = 0; i < 2000; i++) {
    const damaged = bytes.slice();
    damaged[Math.floor(random.uniform(0, bytes.length))] ^= 1 << (i % 8);
    try {
      readNpy(damaged, 'x.npy');
    } catch (error) {
      if ((error as Error).name !== name) throw error;
    }
  }
  t.end();
});

/** Whether NumPy is here, to be asked. */
function hasNumPy(): boolean {
  try {
    execFileSync('python3', ['-c', 'import numpy']);
    return true;
  } catch {
    return false;
  }
}

t.test('NumPy loads it', { skip: hasNumPy() ? false : 'python3 has no numpy' }, (t) => {
  const graph = randomGraph({ seed: 2 });
  const path = join(t.testdir({}), 'net.npz');
  writeFileSync(path, npz.encode(graph, { name: 'net', opName: 'Quant', fused: false }) as Uint8Array);
  const program = `
import json, sys, numpy
arrays = numpy.load(sys.argv[1])
shapes = {name: [list(arrays[name].shape), int(arrays[name].astype('int64').sum())] for name in arrays.files}
print(json.dumps([shapes, json.loads(arrays['graph'].tobytes())['name']]))`;
  const [shapes, name] = JSON.parse(String(execFileSync('python3', ['-c', program, path])));
  t.equal(name, 'net');
  for (const [key, { shape, data }] of graph.tensors) {
    t.same(shapes[key], [shape, (data as Int32Array).reduce((a, b) => a + b, 0)], key);
  }
  t.end();
});
