import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { TensorProto_DataType as DataType, TensorProtoSchema } from 'onnx-buf';
import t from 'tap';
import { type ElementType, numbersOf, type OnnxModel, onnxTensor } from '../../../../lib/deploy/exchange/onnx/model.js';
import { readModel, readTensor, writeModel } from '../../../../lib/deploy/exchange/onnx/proto.js';
import { Random } from '../../../../lib/tensor/random.js';
import { REAL_DATA_DIR, skipWithout } from '../../../data/realData.js';

type Fields = MessageInitShape<typeof TensorProtoSchema>;

const MODEL: OnnxModel = {
  irVersion: 10,
  opsets: new Map([
    ['', 21],
    ['qonnx.custom_op.general', 1],
  ]),
  producer: 'a2q.js',
  metadata: new Map([['about', 'a test']]),
  graph: {
    name: 'net',
    inputs: [{ name: 'x', type: 'float32', shape: ['N', 3] }],
    outputs: [{ name: 'y', type: 'int8', shape: [1, 'W'] }],
    initializers: new Map(
      (
        [
          ['float32', [1.5, -2, 0]],
          ['float64', [0.1, -1e300, 0]],
          ['int4', [-8, 7, -1]],
          ['uint4', [0, 15, 9]],
          ['int8', [-128, 127, 0]],
          ['uint8', [0, 255, 1]],
          ['int16', [-32768, 32767, 0]],
          ['uint16', [65535, 0, 256]],
          ['int32', [-(2 ** 31), 2 ** 31 - 1, 0]],
          ['uint32', [2 ** 32 - 1, 0, 1]],
          ['int64', [-(2 ** 53) + 1, 2 ** 53 - 1, 0]],
          ['uint64', [2 ** 53 - 1, 0, 1]],
          ['bool', [1, 0, 1]],
        ] as const
      ).map(([type, values]) => [type, onnxTensor(type, [3, 1], values)] as const),
    ),
    nodes: [
      {
        name: 'first',
        op: 'Quant',
        domain: 'qonnx.custom_op.general',
        inputs: ['x', '', 'int8'],
        outputs: ['y'],
        attributes: new Map([
          ['a', { type: 'int', value: -3 }],
          ['b', { type: 'float', value: 0.5 }],
          ['c', { type: 'string', value: 'ROUND' }],
          ['d', { type: 'ints', value: [1, 0, -1] }],
          ['e', { type: 'floats', value: [0.25, -1] }],
          ['f', { type: 'strings', value: ['a', 'é'] }],
          ['g', { type: 'tensor', value: onnxTensor('int4', [2, 3], [1, -2, 3, -4, 5, -6]) }],
        ]),
      },
    ],
    datatypes: new Map([['y', 'INT4']]),
  },
};

t.test('what is written is read', (t) => {
  t.same(readModel(writeModel(MODEL), 'net.onnx'), MODEL);
  t.end();
});

t.test('numbers in the typed fields of a tensor, where they are not raw bytes', (t) => {
  const cases: readonly [ElementType, Fields, readonly number[]][] = [
    ['float32', { dataType: DataType.FLOAT, floatData: [1.5, -2] }, [1.5, -2]],
    ['float64', { dataType: DataType.DOUBLE, doubleData: [0.1, -2] }, [0.1, -2]],
    ['int64', { dataType: DataType.INT64, int64Data: [-5n, 6n] }, [-5, 6]],
    ['uint64', { dataType: DataType.UINT64, uint64Data: [5n, 6n] }, [5, 6]],
    ['uint32', { dataType: DataType.UINT32, uint64Data: [5n, 4294967295n] }, [5, 4294967295]],
    ['int32', { dataType: DataType.INT32, int32Data: [-5, 6] }, [-5, 6]],
    ['int8', { dataType: DataType.INT8, int32Data: [-5, 6] }, [-5, 6]],
    ['bool', { dataType: DataType.BOOL, int32Data: [1, 0] }, [1, 0]],
    ['int4', { dataType: DataType.INT4, int32Data: [0x7f] }, [-1, 7]],
  ];
  for (const [type, fields, values] of cases) {
    const tensor = readTensor(
      toBinary(TensorProtoSchema, create(TensorProtoSchema, { dims: [2n], ...fields })),
      'x.pb',
    );
    t.equal(tensor.type, type);
    t.same([...numbersOf(tensor)], values, type);
  }
  t.end();
});

t.test('tensors that hold other than their shape says, or nothing readable', (t) => {
  const read = (fields: Fields) =>
    readTensor(toBinary(TensorProtoSchema, create(TensorProtoSchema, { name: 'w', ...fields })), 'x.pb');
  const float = { dataType: DataType.FLOAT, dims: [2n] };
  const name = 'DataError';
  t.throws(() => read({ ...float, floatData: [1] }), { name, message: /x\.pb: the tensor w does not hold the 2 / });
  t.throws(() => read({ ...float, rawData: new Uint8Array(7) }), { name });
  t.throws(() => read({ ...float, dims: [-1n] }), { name, message: /has the shape \[-1\]/ });
  t.throws(() => read({ ...float, dims: [2n ** 30n, 2n ** 30n, 2n ** 30n] }), { name, message: /does not hold/ });
  t.throws(() => read({ ...float, dataLocation: 1 }), { name, message: /in another file/ });
  t.throws(() => read({ dataType: DataType.STRING, dims: [0n] }), { name, message: /STRING/ });
  t.throws(() => read({ dataType: 99 }), { name, message: /type 99/ });
  t.end();
});

t.test('damaged models are refused by name', (t) => {
  const bytes = writeModel(MODEL);
  const random = new Random(1);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const damaged = bytes.slice(0, i % 3 === 0 ? Math.floor(random.uniform(0, bytes.length)) : bytes.length);
    if (damaged.length > 0) damaged[Math.floor(random.uniform(0, damaged.length))] ^= 1 << (i % 8);
    try {
      readModel(damaged, 'net.onnx');
    } catch (error) {
      refused++;
      if (!(error instanceof Error) || error.name !== 'DataError' || !/net\.onnx/.test(error.message)) throw error;
    }
  }
  t.ok(refused > 1000, `${refused} refused`);
  t.throws(() => readModel(new Uint8Array(), 'x'), { name: 'DataError', message: /is no ONNX model/ });
  t.throws(() => readModel('x' as unknown as Uint8Array, 'x'), { name: 'ArgumentError' });
  t.end();
});

t.test('a network that others exported', { skip: skipWithout('onnx-espcn') }, async (t) => {
  const file = await readFile(join(REAL_DATA_DIR, 'onnx-espcn', 'nn_resize', 'quant_model.onnx'));
  const model = readModel(file, 'nn_resize');
  t.equal(model.opsets.get(''), 11);
  t.ok(model.graph.nodes.some(({ op, domain }) => op === 'Quant' && domain === 'onnx.brevitas'));
  t.same(readModel(writeModel(model), 'again'), model);
});
