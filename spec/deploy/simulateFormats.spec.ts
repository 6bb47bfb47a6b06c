import '../startReference.js';
import t from 'tap';
import { noGrad } from '../../lib/autograd/tape.js';
import { integerWeights } from '../../lib/deploy/integerWeights.js';
import { withAccumulators } from '../../lib/deploy/simulate.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantConv2d } from '../../lib/quant/layers.js';
import { affineLearned } from '../../lib/quant/weightQuantizer.js';
import { Random } from '../../lib/tensor/random.js';
import { backends, randomTensor } from '../nn/support.js';

/** What a P-bit two's complement register holds of a sum, in integers without limits. */
function wrapped(sum: bigint, bits: number): bigint {
  return BigInt.asIntN(bits, sum);
}

for (const { name, skip } of backends) {
  t.test(`every M and N up to 16, on registers of every width, on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    for (const weightBits of [2, 3, 8, 11, 13, 16]) {
      for (const [bits, signed] of [
        [1, false],
        [2, true],
        [8, false],
        [13, true],
        [16, false],
        [16, true],
      ] as const) {
        const act = new ActivationQuantizer({ bits, signed, collectStatsSteps: 0 });
        act.setThreshold(1.9);
        const weight = affineLearned({ bits: weightBits });
        const random = new Random(weightBits * 100 + bits);
        const layer = new QuantConv2d(5, 3, [1, 3], { weight, input: act, bias: false, random });
        layer.eval();
        const x = noGrad(() => act.forward(randomTensor([2, 5, 1, 3], bits)));
        const step = await act.scale().item();
        const qx = Array.from(await x.data(), (value) => Math.round(value / step));
        const { q, scales } = await integerWeights('layer', layer);
        const sums = Array.from({ length: 6 }, (_, i) => {
          let sum = 0n;
          for (let k = 0; k < 15; k++) sum += BigInt(q[(i % 3) * 15 + k]) * BigInt(qx[Math.floor(i / 3) * 15 + k]);
          return sum;
        });
        for (const accumulatorBits of [2, 7, 16, 24, 31, 32]) {
          for (const overflow of ['exact', 'wrap'] as const) {
            const options = { accumulatorBits, overflow, layers: [['layer', layer]] } as const;
            const { result } = await withAccumulators(layer, options, () => noGrad(() => layer.forward(x)).data());
            const want = sums.map((sum, i) => {
              const held = overflow === 'exact' ? sum : wrapped(sum, accumulatorBits);
              return Math.fround(Number(held) * (step * scales[i % 3]));
            });
            t.same(
              [...result],
              want,
              `W${weightBits}A${bits}${signed ? ' signed' : ''}, P = ${accumulatorBits}, ${overflow}`,
            );
          }
        }
      }
    }
  });
}

t.test('a register that does not exist is refused before the work', async (t) => {
  const layer = new QuantConv2d(1, 1, 1, {
    weight: affineLearned({ bits: 4 }),
    input: new ActivationQuantizer({ bits: 4, signed: false }),
    random: new Random(0),
  });
  let ran = false;
  const work = () => {
    ran = true;
  };
  await t.rejects(withAccumulators(layer, { accumulatorBits: 33, overflow: 'wrap' }, work), { name: 'QuantError' });
  t.notOk(ran);
});
