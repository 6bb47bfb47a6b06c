import { cifar10, parseCifar10 } from '../../lib/data/cifar10.js';
import { decodeImage } from '../../lib/data/decode.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { auditModel } from '../../lib/deploy/audit.js';
import { importOnnx } from '../../lib/deploy/exchange/onnx/importOnnx.js';
import { writeModel } from '../../lib/deploy/exchange/onnx/proto.js';
import { verifyCertificate } from '../../lib/deploy/verify/verifyCertificate.js';
import { crc32 } from '../../lib/tensor/crc32.js';
import { zeros } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import { formatCertificate, makeCertificate } from '../../lib/train/certificate.js';
import {
  decodeCheckpoint,
  decodeWeights,
  encodeModel,
  encodeTraining,
  restoreModel,
} from '../../lib/train/checkpoint.js';
import { parseConfigText, type RunConfig } from '../../lib/train/config.js';
import { fit } from '../../lib/train/fit.js';
import { formatLog, type LogLine, parseLog } from '../../lib/train/log.js';
import { buildModel, sourceOf } from '../../lib/train/models.js';
import { fitSettings, makeOptimizer } from '../../lib/train/recipes.js';
import { decodeIntegers, installIntegers } from '../../lib/train/storedIntegers.js';
import { classification } from '../../lib/train/task.js';
import { JPEGS, PNGS } from '../data/images.golden.js';
import { HASHED_JPEGS } from '../data/jpegs.golden.js';
import { writePng } from '../data/writePng.js';
import { classifier, upscaler } from '../deploy/exchange/onnx/networks.js';
import { tinyRun } from '../train/runs.js';
import { mutateBytes, mutateJson } from './mutate.js';
import { mutateHeader, mutateTexts } from './mutateSafetensors.js';
import { networkTargets } from './networkTargets.js';
import { joinPair, splitPair } from './pair.js';
import type { Target } from './target.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const fromBase64 = ({ file }: { readonly file: string }) => new Uint8Array(Buffer.from(file, 'base64'));

/** A run of one epoch, whole and alone. */
async function checkpoints(): Promise<Uint8Array[]> {
  const config = tinyRun();
  const model = buildModel(config);
  const optimizer = makeOptimizer(model, config.optimizer);
  const dataset = glyphs({ length: 16, normalise: false });
  const task = classification();
  const { position } = await fit({ ...fitSettings(config), model, optimizer, task, dataset, epochs: 1 });
  const espcn = tinyRun({
    ...{ model: 'espcn', method: 'a2q', dataset: { name: 'bsd300', factor: 3 } },
    shape: { kind: 'images', inputShape: [3, 85, 85], signed: false, factor: 3 },
    accumulatorBits: 16,
  });
  return [
    await encodeTraining(model, optimizer, config, { position, best: { epoch: 0, metric: 0.5 } }),
    await encodeModel(buildModel(tinyRun({ method: 'float' })), tinyRun({ method: 'float' })),
    await encodeModel(buildModel(espcn), espcn),
  ];
}

function withoutChecksums(seed: Uint8Array): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(seed, 'seed');
  const { a2q_crc32: _, ...rest } = metadata;
  return encodeSafetensors({ tensors, metadata: rest });
}

/** What `eval`, `audit` and `--resume` do with a checkpoint before there are data. */
async function restore(bytes: Uint8Array): Promise<void> {
  const { config, state, training, integers } = decodeCheckpoint(bytes, 'file');
  const model = buildModel(config, { source: sourceOf(state, 'file') });
  try {
    restoreModel(model, state, 'file');
    if (integers) await installIntegers(model.eval(), integers, 'file');
    if (!training) return;
    const optimizer = makeOptimizer(model, config.optimizer);
    try {
      optimizer.loadState(training.optimizer);
    } finally {
      optimizer.dispose();
    }
  } finally {
    model.dispose();
  }
}

/** Gives every chunk of a PNG the checksum of what it holds now, as far as there are chunks. */
function mendChecksums(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}

function pngs(): Uint8Array[] {
  const samples = Uint8Array.from({ length: 17 * 9 * 3 }, (_, i) => (i * 7) % 251);
  const size = { width: 17, height: 9, filters: [0, 1, 2, 3, 4] };
  const packed = Array.from(samples, (value) => value % 4);
  return [
    ...Object.values(PNGS).map(fromBase64),
    writePng({ ...size, samples, interlaced: true }),
    writePng({ ...size, samples: packed, colourType: 3, depth: 2, palette: samples.slice(0, 12), split: 20 }),
  ];
}

const CONFIGS: readonly RunConfig[] = [
  tinyRun(),
  tinyRun({ schedule: { kind: 'multistep', milestones: [1, 2], gamma: 0.1 }, method: 'qat' }),
  tinyRun({
    dataset: { name: 'folder', size: 32 },
    optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.9, weightDecay: 0 },
  }),
];

const LINE: LogLine = {
  ...{ epoch: 0, step: 5, loss: 2.25, penalty: 0, learningRate: 0.1, testLoss: Number.NaN, testMetric: 0.5 },
  ...{ metricName: 'accuracy', msPerStep: 1.5, seconds: 0.01, backend: 'wasm', batchesMadeIn: 'worker' },
};

/** Records of a small CIFAR-10 file; official ones hold 10,000, and another length is refused at once. */
const RECORDS = 20;

export const TARGETS = {
  ...networkTargets,
  checkpoint: {
    how: 'bytes; header, texts; with and without checksums',
    count: 10000,
    async prepare() {
      const sound = await checkpoints();
      const seeds = [...sound, ...sound.map(withoutChecksums)];
      return (random) => {
        const seed = seeds[random.integer(seeds.length)];
        return [() => mutateBytes(seeds, random), () => mutateHeader(seed, random), () => mutateTexts(seed, random)][
          random.integer(3)
        ]();
      };
    },
    async read(bytes) {
      await restore(bytes);
      decodeWeights(bytes, 'file');
    },
  },
  config: {
    how: 'values and names of JSON; bytes',
    count: 5000,
    async prepare() {
      const seeds = CONFIGS.map((config) => JSON.stringify(config, null, 2));
      return (random) => encode(mutateJson(seeds, random));
    },
    read(bytes) {
      const config = parseConfigText(decode(bytes), 'file');
      fitSettings(config);
      // What a checkpoint beside it would hold.
      if (config.model !== undefined) buildModel(config, { source: { name: 'file', count: 2e6 } }).dispose();
    },
  },
  certificate: {
    how: 'values and names of JSON; bytes; half in the checkpoint',
    count: 5000,
    async prepare() {
      const config = tinyRun();
      const model = buildModel(config).eval();
      const bytes = await encodeModel(model, config);
      const audit = await auditModel(model, { example: zeros([1, 1, 16, 16]) });
      const integers = decodeIntegers(decodeSafetensors(bytes, 'seed'), 'seed')?.by ?? null;
      const by = { version: '1', backend: 'wasm', simd: 'plain' };
      const text = formatCertificate(await makeCertificate(audit, { name: 'best', bytes, config, integers }, by));
      return (random) => {
        const inText = random.integer(2) === 0;
        const [said, held] = inText ? [mutateJson([text], random), bytes] : [text, mutateBytes([bytes], random)];
        return joinPair(encode(said), held);
      };
    },
    async read(bytes) {
      const [text, checkpoint] = splitPair(bytes);
      const [difference] = await verifyCertificate(decode(text), checkpoint);
      if (difference !== undefined) throw new DataError('verify', difference);
    },
  },
  log: {
    how: 'values and names of JSON; bytes',
    count: 5000,
    async prepare() {
      const text = formatLog(Array.from({ length: 4 }, (_, epoch) => ({ ...LINE, epoch })));
      return (random) => encode(mutateJson([text], random));
    },
    read: (bytes) => void parseLog(decode(bytes), 'file'),
  },
  png: {
    how: 'bytes; half with checksums mended',
    count: 5000,
    async prepare() {
      const seeds = pngs();
      return (random) => {
        const bytes = mutateBytes(seeds, random);
        return random.integer(2) === 0 ? bytes : mendChecksums(bytes);
      };
    },
    read: (bytes) => void decodeImage(bytes, 'file'),
  },
  jpeg: {
    how: 'bytes',
    count: 5000,
    async prepare() {
      const seeds = [...Object.values(JPEGS), ...Object.values(HASHED_JPEGS)].map(fromBase64);
      return (random) => mutateBytes(seeds, random);
    },
    read: (bytes) => void decodeImage(bytes, 'file'),
  },
  onnx: {
    how: 'bytes of models with every operator that is read; dimensions and attributes among them',
    count: 10000,
    async prepare() {
      const models = [
        classifier(0),
        classifier(1),
        upscaler(0, 'resize', 2),
        upscaler(1, 'CRD', 2),
        upscaler(2, 'DCR', 2),
      ];
      const seeds = models.map(writeModel);
      return (random) => mutateBytes(seeds, random);
    },
    read: (bytes) => void importOnnx(bytes, 'file'),
  },
  cifar: {
    how: 'bytes; half with the length kept',
    count: 5000,
    async prepare() {
      const seed = new Uint8Array(RECORDS * 3073).map((_, i) => (i % 3073 === 0 ? (i / 3073) % 10 : i % 256));
      return (random) => {
        const bytes = mutateBytes([seed], random);
        if (random.integer(2) === 0) return bytes;
        const kept = seed.slice();
        kept.set(bytes.subarray(0, seed.length));
        return kept;
      };
    },
    read(bytes) {
      const records = parseCifar10([{ name: 'file', bytes }], { recordsPerFile: RECORDS });
      const set = cifar10(records);
      const input = new Float32Array(3072);
      for (let i = 0; i < set.length; i++) set.write(i, input, null);
    },
  },
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;
