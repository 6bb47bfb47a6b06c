import '../startReference.js';
import t from 'tap';
import { auditLayer, auditModel } from '../../lib/deploy/audit.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import type { Module } from '../../lib/nn/module.js';
import { AccumulatorAwareQuantizer, a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { epInit } from '../../lib/quant/epInit.js';
import { QuantLinear, QuantReLU, quantLayers } from '../../lib/quant/layers.js';
import type { QuantTensor } from '../../lib/quant/quantTensor.js';
import { full } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { decodeSafetensors, encodeSafetensors, type TensorFile } from '../../lib/tensor/safetensors.js';
import { VERSION } from '../../lib/tensor/version.js';
import { decodeCheckpoint, encodeModel, restoreModel } from '../../lib/train/checkpoint.js';
import { buildModel } from '../../lib/train/models.js';
import { decodeIntegers, encodeIntegers, installIntegers } from '../../lib/train/storedIntegers.js';
import { tinyRun } from './runs.js';

const wasm = backendNamed('wasm');
t.afterEach(() => setBackend(wasm));

/** A layer whose weights are so many that backends sum their norms to other last bits. */
function wide(seed: number): Sequential {
  const act = new QuantReLU({ bits: 4 });
  const weight = a2qPlus({ bits: 8, accumulatorBits: 16 });
  return new Sequential(act, new QuantLinear(576, 128, { weight, input: act, bias: false, random: new Random(seed) }));
}

const hash = async (model: Module) => {
  const [[name, layer]] = quantLayers(model);
  return (await auditLayer(name, layer)).weightsSha256;
};

t.test('the integers of a run are the same on every backend, though its weights round differently', async (t) => {
  let differ = 0;
  for (const seed of [13, 18, 19]) {
    setBackend(wasm);
    const model = wide(seed).eval();
    await epInit(model);
    const want = await hash(model);
    const stored = decodeIntegers(throughFile(await encodeIntegers(model)), 'file');
    t.match(stored, { by: { version: VERSION, backend: 'wasm', simd: /relaxed|plain/ }, layers: [{ layer: '1' }] });
    const state = await model.stateDict();
    setBackend(backendNamed('reference'));
    const twin = wide(seed).eval();
    twin.loadStateDict(state);
    if ((await hash(twin)) !== want) differ += 1;
    if (stored) t.same(await installIntegers(twin, stored, 'file'), []);
    t.equal(await hash(twin), want);
    const again = decodeIntegers(throughFile(await encodeIntegers(twin)), 'file');
    t.same(again?.layers[0].q, stored?.layers[0].q, 'what is stored again is what was installed');
  }
  t.ok(differ > 0, 'without them some layers differ');
});

function throughFile(file: TensorFile): TensorFile {
  return decodeSafetensors(encodeSafetensors(file), 'file');
}

const config = tinyRun();
const model = buildModel(config).eval();
const bytes = await encodeModel(model, config);

t.test('a checkpoint holds the integers of every layer, and what the layers are', async (t) => {
  const { integers, state } = decodeCheckpoint(bytes, 'best');
  t.match(
    integers?.layers.map(({ layer, weightBits, inputBits, inputQuantizer, bound, accumulatorBits }) => {
      return [layer, weightBits, inputBits, inputQuantizer, bound, accumulatorBits];
    }),
    [
      ['stages.0.conv', 8, 8, 'input', null, null],
      ['stages.1.conv', 4, 4, 'stages.0.act', 'a2q+', 12],
      ['stages.2.conv', 4, 4, 'stages.1.act', 'a2q+', 12],
      ['fc', 8, 8, 'stages.2.act', null, null],
    ],
  );
  t.same([...state.keys()], [...(await model.stateDict()).keys()], 'beside the state of the model');
  const { header } = parts(bytes);
  t.match(header['integers/stages.1.conv.weight'], { dtype: 'I8', shape: [32, 16, 3, 3] });
  t.match(header['integers/stages.1.conv.scale'], { dtype: 'F32', shape: [32] });
  const float = tinyRun({ method: 'float' });
  t.equal(decodeCheckpoint(await encodeModel(buildModel(float), float), 'best').integers, null);
});

/** Header and data of a safetensors file. */
function parts(file: Uint8Array) {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return { header, data: file.subarray(8 + length) };
}

t.test('integers take the fewest bytes that hold them', async (t) => {
  const store = (...values: number[]) => {
    const tensors = new Map([['q', { shape: [values.length], data: Int32Array.from(values), smallest: true }]]);
    const file = encodeSafetensors({ tensors, metadata: {} });
    t.same([...(decodeSafetensors(file, 'x').tensors.get('q')?.data ?? [])], values);
    return parts(file).header.q.dtype;
  };
  t.equal(store(-128, 127), 'I8');
  t.equal(store(-129, 0), 'I16');
  t.equal(store(0, 128), 'I16');
  t.equal(store(-32768, 32767), 'I16');
  t.equal(store(32768), 'I32');
});

/** The checkpoint, with other contents and no checksums. */
async function changed(change: (file: TensorFile) => void): Promise<void> {
  const { tensors, metadata } = decodeSafetensors(bytes, 'x');
  const { a2q_crc32: _, ...rest } = metadata;
  const file = { tensors, metadata: rest as Record<string, string> };
  change(file);
  const { state, integers } = decodeCheckpoint(encodeSafetensors(file), 'some.file');
  const twin = buildModel(config).eval();
  restoreModel(twin, state, 'some.file');
  if (integers) await installIntegers(twin, integers, 'some.file');
}

t.test('integers that are not of the weights beside them are refused', async (t) => {
  const named = (message: RegExp) => ({ name: 'DataError', message });
  const tamper = (key: string, change: (data: Float32Array | Int32Array) => void) =>
    changed(({ tensors }) => change(tensors.get(key)?.data as Int32Array));
  await t.resolves(changed(() => undefined));
  for (const key of ['stages.1.conv.weight', 'stages.1.conv.weight_quant.d', 'stages.1.conv.weight_quant.t']) {
    const edited = tamper(key, (data) => {
      data[3] += 0.25;
    });
    await t.rejects(edited, named(/some\.file: the integers of stages\.1\.conv are not of its weights/), key);
  }
  const beyond = tamper('integers/stages.1.conv.weight', (data) => data.fill(9));
  await t.rejects(beyond, named(/integers of stages\.1\.conv do not fit it: .* no integer of 4 bits/));
  const missing = changed(({ tensors }) => void tensors.delete('integers/fc.scale'));
  await t.rejects(missing, named(/the integers of fc are missing/));
  const rewrite = (from: string, to: string) =>
    changed(({ metadata }) => {
      (metadata as Record<string, string>)['a2q_integers'] = metadata['a2q_integers'].replace(from, to);
    });
  await t.rejects(
    rewrite('"accumulatorBits":12', '"accumulatorBits":11'),
    named(/accumulatorBits 11; the model has 12/),
  );
  await t.rejects(rewrite('"inputBits":4', '"inputBits":3'), named(/inputBits 3; the model has 4/));
  await t.rejects(rewrite('"layers":[', '"layers":[7,'), named(/a2q_integers\) is damaged/));
  await t.rejects(rewrite('{"by"', '{by'), DataError);
});

t.test('a layer whose weights are no integers is left out, and training goes on', async (t) => {
  class Unrounded extends AccumulatorAwareQuantizer {
    override quantize(): QuantTensor {
      return { value: full([2, 3], 0.49), scale: full([2, 1], 1), bits: this.bits, signed: true, narrow: true };
    }
  }
  const act = new QuantReLU({ bits: 4 });
  const weight = (w: ConstructorParameters<typeof Unrounded>[2]) =>
    new Unrounded('a2q', { bits: 4, accumulatorBits: 12 }, w, act);
  const odd = new Sequential(act, new QuantLinear(3, 2, { weight, input: act, random: new Random(0) }));
  t.same(await encodeIntegers(odd), { tensors: new Map(), metadata: {} });
  await t.rejects(auditModel(odd), { message: /no integers of 4 bits/ });
});
