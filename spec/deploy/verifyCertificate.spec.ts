import { createHash } from 'node:crypto';
import t from 'tap';
import '../../lib/kernels/registry.js';
import { auditModel } from '../../lib/deploy/audit.js';
import { verifyCertificate } from '../../lib/deploy/verify/verifyCertificate.js';
import { zeros } from '../../lib/tensor/create.js';
import { Random } from '../../lib/tensor/random.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import { formatCertificate, makeCertificate } from '../../lib/train/certificate.js';
import { encodeModel } from '../../lib/train/checkpoint.js';
import type { RunConfig } from '../../lib/train/config.js';
import { buildModel } from '../../lib/train/models.js';
import { decodeIntegers } from '../../lib/train/storedIntegers.js';
import { tinyRun } from '../train/runs.js';

const BY = { version: '1.2.3', backend: 'wasm', simd: 'plain' };

/** A checkpoint and its certificate. */
async function certified(config: RunConfig): Promise<{ file: Uint8Array; text: string }> {
  const model = buildModel(config).eval();
  const file = await encodeModel(model, config);
  const audit = await auditModel(model, { example: zeros([1, 1, 16, 16]) });
  model.dispose();
  const integers = decodeIntegers(decodeSafetensors(file, 'x'), 'x')?.by ?? null;
  const text = formatCertificate(await makeCertificate(audit, { name: 'best', bytes: file, config, integers }, BY));
  return { file, text };
}

const { file, text } = await certified(tinyRun());

t.test('a certificate that is true is verified', async (t) => {
  t.same(await verifyCertificate(text, file), []);
  const { proved, layers, integers, auditedBy, checkpoint, config } = JSON.parse(text);
  t.equal(proved, true);
  t.same(auditedBy, BY);
  t.match(integers, { backend: 'wasm' });
  t.equal(checkpoint.sha256, createHash('sha256').update(file).digest('hex'));
  t.match(config, { model: 'cnn', dataset: 'glyphs', method: 'a2q+', weightBits: 4, actBits: 4, accumulatorBits: 12 });
  t.match(layers[1], { layer: 'stages.1.conv', accumulatorBits: 12, inputChecked: 'by construction', proved: true });
  for (const method of ['qat', 'a2q'] as const) {
    const other = await certified(tinyRun({ method, ...(method === 'a2q' ? {} : { accumulatorBits: 12 }) }));
    t.same(await verifyCertificate(other.text, other.file), [], method);
  }
});

/** The certificate with something changed, and a checksum that says nothing of it. */
function forged(change: (contents: ReturnType<typeof JSON.parse>) => void): string {
  const { sha256: _, ...contents } = JSON.parse(text);
  change(contents);
  const sha256 = createHash('sha256').update(JSON.stringify(contents)).digest('hex');
  return `${JSON.stringify({ ...contents, sha256 }, null, 2)}\n`;
}

t.test('whatever the integers decide cannot be said otherwise, checksum or not', async (t) => {
  t.same(
    await verifyCertificate(
      forged(() => undefined),
      file,
    ),
    [],
  );
  const lies: [path: string, change: Parameters<typeof forged>[0]][] = [
    [
      'proved',
      (c) => {
        c.proved = false;
      },
    ],
    [
      'safeBits',
      (c) => {
        c.safeBits -= 1;
      },
    ],
    [
      'sparsity',
      (c) => {
        c.sparsity += 1e-9;
      },
    ],
    [
      'statement',
      (c) => {
        c.statement = 'All is well.';
      },
    ],
    [
      'checkpoint.sha256',
      (c) => {
        c.checkpoint.sha256 = c.checkpoint.sha256.replace(/^./, 'x');
      },
    ],
    [
      'config.sha256',
      (c) => {
        c.config.sha256 = '';
      },
    ],
    [
      'config.accumulatorBits',
      (c) => {
        c.config.accumulatorBits = 11;
      },
    ],
    [
      'integers.simd',
      (c) => {
        c.integers.simd = 'none';
      },
    ],
    [
      'layers[1].accumulatorBits',
      (c) => {
        c.layers[1].accumulatorBits = 11;
      },
    ],
    [
      'layers[1].weightBits',
      (c) => {
        c.layers[1].weightBits = 3;
      },
    ],
    [
      'layers[1].inputBits',
      (c) => {
        c.layers[1].inputBits = 3;
      },
    ],
    [
      'layers[1].inputSigned',
      (c) => {
        c.layers[1].inputSigned = true;
      },
    ],
    [
      'layers[1].bound',
      (c) => {
        c.layers[1].bound = 'a2q';
      },
    ],
    [
      'layers[1].budget',
      (c) => {
        c.layers[1].budget += 1;
      },
    ],
    [
      'layers[1].alpha[0]',
      (c) => {
        c.layers[1].alpha[0] -= 1;
      },
    ],
    [
      'layers[2].beta[31]',
      (c) => {
        c.layers[2].beta[31] += 1;
      },
    ],
    [
      'layers[1].max',
      (c) => {
        c.layers[1].max -= 15;
      },
    ],
    [
      'layers[1].min',
      (c) => {
        c.layers[1].min += 15;
      },
    ],
    [
      'layers[1].safeBits',
      (c) => {
        c.layers[1].safeBits -= 1;
      },
    ],
    [
      'layers[1].budgetUsed',
      (c) => {
        c.layers[1].budgetUsed /= 2;
      },
    ],
    [
      'layers[1].weightsSha256',
      (c) => {
        c.layers[1].weightsSha256 = c.layers[2].weightsSha256;
      },
    ],
    [
      'layers[1].worst.channel',
      (c) => {
        c.layers[1].worst.channel += 1;
      },
    ],
    [
      'layers[1].worst.maxInput',
      (c) => {
        c.layers[1].worst.maxInput.pop();
      },
    ],
    [
      'layers[1].trial.overflows',
      (c) => {
        c.layers[1].trial.overflows = 1;
      },
    ],
    [
      'layers[0].proved',
      (c) => {
        c.layers[0].proved = true;
      },
    ],
    [
      'layers',
      (c) => {
        c.layers.pop();
      },
    ],
    [
      'more',
      (c) => {
        c.more = 'words';
      },
    ],
    [
      'layers[1].more',
      (c) => {
        c.layers[1].more = null;
      },
    ],
  ];
  for (const [path, change] of lies) {
    const differences = await verifyCertificate(forged(change), file);
    t.ok(
      differences.some((each) => each.startsWith(`${path} is `)),
      `${path}: ${differences[0]}`,
    );
  }
  const doubtful = forged((c) => {
    c.layers[1].inputChecked = 'by data';
  });
  t.match(await verifyCertificate(doubtful, file), [
    /^proved is true; the files give false/,
    /layers\[1\]\.proved is true/,
  ]);
  t.match(await verifyCertificate(text.replace('  "format"', ' "format"'), file), [/not written as a certificate is/]);
  t.match(await verifyCertificate('{', file), [/not JSON/]);
  t.match(await verifyCertificate('{}', file), [/not of format a2q-certificate, version 2/]);
});

t.test('any flipped bit of the certificate, or of the integers it speaks of, is refused', async (t) => {
  const random = new Random(3);
  const bytes = new TextEncoder().encode(text);
  let accepted = 0;
  for (let i = 0; i < 300; i++) {
    const damaged = bytes.slice();
    damaged[random.integer(damaged.length)] ^= 1 << random.integer(8);
    if ((await verifyCertificate(new TextDecoder().decode(damaged), file)).length === 0) accepted += 1;
  }
  t.equal(accepted, 0, 'of 300 certificates');
  const start = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  for (const layer of ['stages.0.conv', 'stages.1.conv', 'stages.2.conv', 'fc']) {
    const [begin, end] = header[`integers/${layer}.weight`].data_offsets;
    for (let i = 0; i < 25; i++) {
      const damaged = file.slice();
      damaged[start + begin + random.integer(end - begin)] ^= 1 << random.integer(8);
      if ((await verifyCertificate(text, damaged)).length === 0) accepted += 1;
    }
  }
  t.equal(accepted, 0, 'of 100 checkpoints');
  for (let i = 0; i < 100; i++) {
    const damaged = file.slice(0, random.integer(2) === 0 ? file.length : random.integer(file.length));
    if (damaged.length > 0) damaged[random.integer(Math.min(damaged.length, 4000))] ^= 1 << random.integer(8);
    t.not((await verifyCertificate(text, damaged)).length, 0);
  }
});

t.test('a checkpoint without integers proves nothing', async (t) => {
  const { tensors, metadata } = decodeSafetensors(file, 'x');
  const { a2q_integers: _, ...rest } = metadata;
  const without = encodeSafetensors({ tensors, metadata: rest as Record<string, string> });
  t.match(await verifyCertificate(text, without), [/holds no integers, so there is nothing to verify/]);
});

t.test('names that every object has are names like others', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    const more = text.replace('"proved":', `"${name}": 1, "proved":`);
    t.match(await verifyCertificate(more, file), [new RegExp(`${name} is 1; the files give absent`)]);
  }
});
