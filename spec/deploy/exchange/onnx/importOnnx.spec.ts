import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { importOnnx } from '../../../../lib/deploy/exchange/onnx/importOnnx.js';
import type { OnnxModel } from '../../../../lib/deploy/exchange/onnx/model.js';
import { readTensor, writeModel } from '../../../../lib/deploy/exchange/onnx/proto.js';
import { auditGraph } from '../../../../lib/deploy/graph/audit.js';
import { decodeOutput, quantizeInput } from '../../../../lib/deploy/graph/decode.js';
import { decodeNetwork, encodeNetwork } from '../../../../lib/deploy/graph/file.js';
import { runReference } from '../../../../lib/deploy/runtime/reference.js';
import { DataError } from '../../../../lib/tensor/errors.js';
import { Random } from '../../../../lib/tensor/random.js';
import { REAL_DATA_DIR, skipWithout } from '../../../data/realData.js';
import { runOnnx } from './floatOnnx.js';
import { classifier, Draw, text, upscaler } from './networks.js';

/** Runs a file by the oracle and as integers; how many numbers differ by more than a rounding, of how many. */
function compare(model: OnnxModel, shape: readonly number[], seed: number) {
  const random = new Random(seed);
  const graph = importOnnx(writeModel(model), 'net.onnx');
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, () => Math.round(random.uniform(0, 255)) / 255);
  const wanted = runOnnx(model, { shape, data });
  const network = decodeNetwork(encodeNetwork(graph), 'net');
  const value = runReference(network, quantizeInput(network, data, shape));
  const got = decodeOutput(network, value);
  const largest = wanted.data.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-9);
  const differ = got.filter((each, i) => Math.abs(each - wanted.data[i]) > 1e-5 * largest).length;
  return { graph, differ, of: got.length, distinct: new Set(got).size, shape: value.shape, wanted: wanted.shape };
}

t.test('classifiers in ONNX give the integers of their float64 evaluation', async (t) => {
  for (let seed = 0; seed < 6; seed++) {
    const { differ, distinct, shape, wanted } = compare(classifier(seed), [3, 3, 10, 9], seed);
    t.equal(differ, 0, `seed ${seed}`);
    t.ok(distinct > 10, 'outputs differ among themselves');
    t.same(shape, wanted);
  }
});

t.test('super-resolution in every form', async (t) => {
  for (const form of ['resize', 'CRD', 'DCR'] as const) {
    for (const [seed, factor] of [2, 3, 4].entries()) {
      const { differ, distinct, shape, wanted } = compare(upscaler(seed, form, factor), [1, 3, 6, 7], seed);
      t.equal(differ, 0, `${form} ×${factor}`);
      t.ok(distinct > 20, 'outputs differ among themselves');
      t.same(shape, wanted);
    }
  }
});

const ESPCN = 'onnx-espcn';

t.test('a network that others trained', { skip: skipWithout(ESPCN) }, async (t) => {
  const folder = join(REAL_DATA_DIR, ESPCN);
  const graph = importOnnx(readFileSync(join(folder, 'nn_resize/quant_model.onnx')), 'quant_model.onnx');
  const { layers } = await auditGraph(graph);
  t.same(
    layers.map(({ safeBits, weightBits, l1 }) => [safeBits, weightBits, l1]),
    [
      [21, 8, 5356],
      [16, 4, 2801],
      [15, 4, 2038],
      [23, 8, 17928],
    ],
  );
  const { data, shape } = readTensor(readFileSync(join(folder, 'input_0.pb')), 'input_0.pb');
  const rows = 32;
  // The upper rows alone: what lies below a few layers of 5 and 3 rows does not reach the first.
  const cut = Float32Array.from({ length: 3 * rows * 128 }, (_, i) => {
    const [channel, rest] = [Math.floor(i / (rows * 128)), i % (rows * 128)];
    return Number(data[channel * 128 * 128 + rest]);
  });
  t.same(shape, [1, 3, 128, 128]);
  const got = runReference(graph, quantizeInput(graph, cut, [1, 3, rows, 128]));
  const wanted = readFileSync(join(folder, 'nn_resize/output_u8.bin'));
  let differ = 0;
  for (let i = 0; i < 3 * 48 * 256; i++) {
    const [channel, rest] = [Math.floor(i / (48 * 256)), i % (48 * 256)];
    if (got.data[channel * 2 * rows * 256 + rest] !== wanted[channel * 256 * 256 + rest]) differ++;
  }
  t.equal(differ, 0);
});

/** A small network, for one that is wrong. */
function wrong(build: (draw: Draw) => string, shape: readonly (number | string)[] = [1, 3, 6, 6]): Uint8Array {
  const draw = new Draw(1, 13);
  return writeModel(draw.net.model(shape, build(draw)));
}

t.test('what has no form in integers is refused by name', async (t) => {
  const refused = (build: (draw: Draw) => string, message: RegExp) => {
    t.throws(() => importOnnx(wrong(build), 'net.onnx'), { name: 'DataError', message });
  };
  const quantized = ({ net }: Draw, bits = 4) => net.quant('x', [0.1], bits);
  const conv = (draw: Draw, x = quantized(draw)) => draw.conv(x, [4, 3, 3, 3], 4, {}, true);
  refused((draw) => conv(draw, 'x'), /net\.onnx: Conv 'Conv_\d+' reads the input before a Quant node/);
  refused((draw) => draw.net.node('Softmax', [conv(draw)]), /Softmax 'Softmax_\d+' is an operation that is not read/);
  refused((draw) => draw.net.node('Sigmoid', [conv(draw)]), /computed by Sigmoid behind the last sums/);
  refused(
    (draw) => draw.conv(conv(draw), [4, 4, 3, 3], 4, {}),
    /Conv '.*' reads values that are on no grid: a Quant node is missing/,
  );
  refused((draw) => quantized(draw, 3.5), /Quant '.*' has a bit width of 3\.5/);
  refused(({ net }) => {
    const [scale, point, bits] = [0.1, 3, 4].map((value) => net.tensor([], [value]));
    return net.node('Quant', ['x', scale, point, bits]);
  }, /Quant '.*' has a zero point of 3/);
  refused(
    (draw) => draw.net.node('Conv', [quantized(draw), draw.net.tensor([4, 3, 3, 3], draw.list(108, -1, 1))]),
    /weights that no Quant node/,
  );
  refused((draw) => draw.net.node('Sin', [quantized(draw)]), /Sin '.*' is an operation that is not read/);
  refused((draw) => {
    const x = quantized(draw);
    const y = draw.conv(x, [3, 3, 1, 1], 4, {});
    return conv(draw, draw.net.node('Add', [draw.net.quant(y, [0.3], 4), x]));
  }, /Add '.*' adds values whose steps are/);
  refused((draw) => {
    const scales = draw.net.tensor([4], [1, 1, 2, 2]);
    return draw.net.node('Resize', [quantized(draw), '', scales], { mode: text('linear') });
  }, /Resize '.*' resizes by linear/);
  refused(
    (draw) => draw.net.node('Conv', [quantized(draw), draw.weights([4, 2, 3, 3], 4, true)]),
    /in 1 groups for 3 channels/,
  );
  t.throws(() => importOnnx(new Uint8Array(20).fill(200), 'net.onnx'), DataError);
});
