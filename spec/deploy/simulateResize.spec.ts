import t from 'tap';
import { upsampleNearest } from '../../lib/autograd/resample.js';
import { noGrad } from '../../lib/autograd/tape.js';
import { withAccumulators } from '../../lib/deploy/simulate.js';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantConv2d, type QuantLayer, QuantResizeConv2d } from '../../lib/quant/layers.js';
import { affineLearned } from '../../lib/quant/weightQuantizer.js';
import { tensor } from '../../lib/tensor/create.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';

setBackend(await startBackend('reference'));

/** Unsigned 4-bit inputs on a grid of step 0.5. */
const act = new ActivationQuantizer({ bits: 4, signed: false });
act.setThreshold(7.5);
act.eval();

/** The layer with nine weights 7, 6, … −1 on a grid of step 0.25, and a bias of 1. */
function known<Layer extends QuantLayer>(layer: Layer): Layer {
  layer.weight.write(Float32Array.from({ length: 9 }, (_, i) => (7 - i) / 4));
  layer.weightQuant.initialize(layer.weight);
  layer.bias?.write(Float32Array.of(1));
  layer.eval();
  return layer;
}

const options = { weight: affineLearned({ bits: 4 }), input: act, random: new Random(0) };
const resize = known(new QuantResizeConv2d(1, 1, 3, 2, options));
const plain = known(new QuantConv2d(1, 1, 3, { ...options, padding: 1 }));
const image = act.forward(tensor([7.5, 1, 0, 3], [1, 1, 2, 2]));

async function simulate(
  layer: QuantLayer,
  x: Tensor,
  accumulatorBits: number,
  overflow: 'exact' | 'wrap' | 'saturate',
) {
  const given = { accumulatorBits, overflow, layers: [['layer', layer]] as const };
  const { result, layers } = await withAccumulators(layer, given, () => noGrad(() => layer.forward(x)).data());
  return { result, tally: layers[0] };
}

t.test('a resize convolution sums as the convolution of the repeated pixels does', async (t) => {
  const repeated = upsampleNearest(image, 2);
  for (const overflow of ['exact', 'wrap', 'saturate'] as const) {
    for (const bits of [7, 8, 10, 16]) {
      const [got, want] = [
        await simulate(resize, image, bits, overflow),
        await simulate(plain, repeated, bits, overflow),
      ];
      arraysEqual(t, got.result, want.result, `${bits} bits, ${overflow}`);
      t.same(got.tally, want.tally, `${bits} bits, ${overflow}: overflows`);
    }
  }
});

t.test('worked by hand: the corner of four equal pixels', async (t) => {
  const { result, tally } = await simulate(resize, image, 16, 'wrap');
  // Window at (0, 0): taps (1, 1), (1, 2), (2, 1), (2, 2) are inside and look at 15 each;
  // their weights are 3, 2, 0, −1.
  t.equal(result[0], 1 + (15 * (3 + 2 + 0 - 1)) / 8);
  t.same(tally, { layer: 'layer', overflows: 0, outputsAffected: 0, outputs: 16, sums: tally.sums });
  const narrow = await simulate(resize, image, 6, 'wrap');
  // Six bits hold −32 … 31: 45 becomes −19, then 30 more is 11 and 15 less −4.
  t.equal(narrow.result[0], 1 - 4 / 8);
});
