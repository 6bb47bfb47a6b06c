import '../../startReference.js';
import t, { type Test } from 'tap';
import { backendNamed, setBackend } from '../../../lib/kernels/registry.js';
import { type Call, explain } from '../../../lib/kernels/trace.js';
import {
  Activation,
  BatchNorm2d,
  Conv2d,
  chain,
  freezeBatchNorms,
  Identity,
  type Join,
  ReLU,
  residual,
  Sequential,
} from '../../../lib/nn/index.js';
import { floatLayers } from '../../../lib/nn/models/floatLayers.js';
import { Module } from '../../../lib/nn/module.js';
import { ActivationQuantizer } from '../../../lib/quant/activation.js';
import { QuantAdd, QuantReLU } from '../../../lib/quant/layers.js';
import { Random } from '../../../lib/tensor/random.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../../helpers.js';
import { backends, gradients, randomTensor } from '../support.js';

/** A quantizer whose scale is learned by now. */
function learned<Q extends ActivationQuantizer>(quantizer: Q): Q {
  quantizer.setThreshold(1.3);
  return quantizer;
}

const ACTIVATIONS: Readonly<Record<string, () => Module>> = {
  ReLU: () => new ReLU(),
  'QuantReLU, learned': () => learned(new QuantReLU({ bits: 4 })),
  'signed quantizer, learned': () => learned(new ActivationQuantizer({ bits: 4, signed: true })),
  'QuantReLU, linear domain': () => learned(new QuantReLU({ bits: 3, domain: 'linear' })),
  'QuantReLU, collecting statistics': () => new QuantReLU({ bits: 4, collectStatsSteps: 5 }),
  'QuantReLU, at the end of statistics': () => {
    const quantizer = new QuantReLU({ bits: 4, collectStatsSteps: 1 });
    quantizer.forward(randomTensor([4, 3, 2, 2], 9));
    return quantizer;
  },
  'QuantReLU, calibrating': () => Object.assign(new QuantReLU({ bits: 4 }), { calibrating: true }),
  'no activation': () => new Identity(),
};

/** What a model may be doing when it is called. */
const MODES: Readonly<Record<string, (model: Module) => void>> = {
  training: (model) => model.train(true),
  evaluation: (model) => model.train(false),
  'training with frozen norms': (model) => {
    model.train(true);
    freezeBatchNorms(model);
  },
};

/** Everything some calls leave behind: values, gradients, running statistics, thresholds and counts. */
async function outcome(model: Module, shape: readonly number[], run: (x: Tensor) => Tensor, calls = 1) {
  const numbers: Record<string, ArrayLike<number>> = {};
  for (let call = 0; call < calls; call++) {
    model.zeroGrad();
    const x = randomTensor(shape, 1 + call).withGrad();
    const y = run(x);
    numbers[`value ${call}`] = await y.data();
    const named = [['x', x] as const, ...model.namedParameters()];
    const leaves = named.map(([, leaf]) => leaf);
    const grads = await gradients(y, randomTensor(y.shape, 4), leaves);
    for (const [i, [name]] of named.entries()) numbers[`gradient to ${name}, call ${call}`] = grads[i];
  }
  for (const [name, { data }] of await model.stateDict()) numbers[name] = data;
  return numbers;
}

/** Gradients to thresholds are sums over all values, which a norm adds up by channels: the last digits may differ. */
const SUMMED_OTHERWISE = /^gradient to .*\bvalue, call/;

/**
 * Two models, made alike, the one run in a way that may fuse and the other module by module: the same to the last
 * bit.
 */
async function agree<M extends Module>(
  t: Test,
  label: string,
  make: () => M,
  shape: readonly number[],
  [fused, apart]: readonly [fused: (model: M, x: Tensor) => Tensor, apart: (model: M, x: Tensor) => Tensor],
  calls?: number,
): Promise<void> {
  const [one, other] = [make(), make()];
  const got = await outcome(one, shape, (x) => fused(one, x), calls);
  const want = await outcome(other, shape, (x) => apart(other, x), calls);
  t.same(Object.keys(got), Object.keys(want), label);
  for (const [name, numbers] of Object.entries(want)) {
    if (SUMMED_OTHERWISE.test(name)) closeTo(t, got[name], numbers, 1e-6, `${label}: ${name}`);
    else arraysEqual(t, got[name], numbers, `${label}: ${name}`);
  }
}

/** Batch norm with an activation behind it. */
class Pair extends Module {
  readonly norm = new BatchNorm2d(5);

  constructor(readonly act: Module) {
    super();
    this.norm.weight.assign(randomTensor([5], 2));
    this.norm.bias.assign(randomTensor([5], 3));
  }

  override forward(x: Tensor): Tensor {
    return this.act.forward(this.norm.forward(x));
  }
}

/** Convolutions and norms on two branches, a sum, an activation. */
class Block extends Module {
  readonly conv1 = new Conv2d(4, 4, 3, { padding: 1, bias: false, random: new Random(1) });
  readonly bn1 = new BatchNorm2d(4);
  readonly conv2 = new Conv2d(4, 4, 1, { bias: false, random: new Random(2) });
  readonly bn2 = new BatchNorm2d(4);

  constructor(
    readonly act1: Module,
    readonly add: Join,
    readonly isShort: boolean,
  ) {
    super();
  }

  get main(): readonly Module[] {
    return [this.conv1, this.bn1, this.act1];
  }

  get shortcut(): readonly Module[] {
    return this.isShort ? [] : [this.conv2, this.bn2];
  }

  override forward(x: Tensor): Tensor {
    return residual(x, this.main, this.shortcut, this.add);
  }
}

const inTurn = (x: Tensor, modules: readonly Module[]) => modules.reduce((y, module) => module.forward(y), x);

for (const { name, skip } of backends) {
  for (const [label, make] of Object.entries(ACTIVATIONS)) {
    t.test(`chain gives the numbers of one after the other: ${label} on ${name}`, { skip }, async (t) => {
      setBackend(backendNamed(name));
      for (const [mode, enter] of Object.entries(MODES)) {
        const pair = () => {
          const model = new Pair(make());
          enter(model);
          return model;
        };
        const ways = [
          ({ norm, act }: Pair, x: Tensor) => chain(x, norm, act),
          (model: Pair, x: Tensor) => model.forward(x),
        ] as const;
        await agree(t, mode, pair, [6, 5, 3, 3], ways);
        await agree(t, `${mode}, four calls`, pair, [8, 5], ways, 4);
      }
    });
  }

  t.test(`residual gives the numbers of the sum of both branches on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    const joins: Readonly<Record<string, () => Join>> = {
      float: () => floatLayers(new Random(0)).add(),
      'collecting statistics': () => new QuantAdd({ bits: 4, signed: true, collectStatsSteps: 5 }),
      'at the end of statistics': () => new QuantAdd({ bits: 4, signed: true, collectStatsSteps: 3 }),
      learned: () => {
        const join = new QuantAdd({ bits: 4, signed: true });
        learned(join.branchQuant);
        return join;
      },
    };
    const ways = [
      (model: Block, x: Tensor) => model.forward(x),
      (model: Block, x: Tensor) => {
        const [a, b] = [model.main, model.shortcut].map((branch) => inTurn(x, branch));
        return model.add.forward(a, b);
      },
    ] as const;
    for (const [label, join] of Object.entries(joins)) {
      for (const [mode, enter] of Object.entries(MODES)) {
        for (const isShort of [false, true]) {
          const block = () => {
            const model = new Block(learned(new QuantReLU({ bits: 4 })), join(), isShort);
            enter(model);
            return model;
          };
          await agree(t, `${label}, ${mode}${isShort ? ', no shortcut' : ''}`, block, [3, 4, 5, 5], ways, 3);
        }
      }
    }
  });

  t.test(`explain shows what chain has fused on ${name}`, { skip }, (t) => {
    setBackend(backendNamed(name));
    const x = randomTensor([6, 5, 3, 3], 1);
    const rows = (calls: readonly Call[]) => calls.map(({ row }) => row).filter((row) => row !== 'blend');
    const ran = (act: Module, mode = 'training') => {
      const model = new Pair(act);
      MODES[mode](model);
      return rows(explain(() => chain(x, model.norm, act)).calls);
    };
    t.same(ran(new ReLU()), ['batchNorm'], 'one row in place of two');
    t.same(ran(learned(new QuantReLU({ bits: 4 }))), ['powerScale', 'batchNormQuantize']);
    t.same(ran(new Identity()), ['batchNorm'], 'nothing to fuse');
    t.same(ran(new QuantReLU({ bits: 4 })).slice(0, 2), ['batchNorm', 'relu'], 'statistics look at the values between');
    t.same(ran(new QuantReLU({ bits: 4 })).at(-1), 'fakeQuantize');
    for (const mode of ['evaluation', 'training with frozen norms']) {
      t.notOk(ran(new ReLU(), mode).includes('batchNorm'), `${mode} has no batch statistics`);
      t.equal(ran(new ReLU(), mode).at(-1), 'relu');
    }
    const [norm, act] = [new BatchNorm2d(5), new ReLU()];
    const sequential = new Sequential(new Identity(), norm, act, new ReLU());
    t.same(rows(explain(() => sequential.forward(x)).calls), ['batchNorm', 'relu'], 'Sequential is a chain');
    t.same(
      rows(
        explain(() =>
          new Block(new ReLU(), new QuantAdd({ bits: 4, signed: true }), false).forward(randomTensor([3, 4, 5, 5], 1)),
        ).calls,
      ).filter((row) => row === 'batchNorm').length,
      2,
    );
    t.end();
  });
}

/** Counts what an activation is asked for; the numbers are those of a ReLU. */
class Watched extends ReLU {
  calls: string[] = [];

  override forward(x: Tensor): Tensor {
    this.calls.push('forward');
    return super.forward(x);
  }

  override follower() {
    this.calls.push('follower');
    return super.follower();
  }
}

t.test('chain asks an activation once, and leaves the pass to the norm only in training', async (t) => {
  const [norm, activation] = [new BatchNorm2d(2), new Watched()];
  const x = randomTensor([3, 2, 1, 1], 1);
  chain(x, norm, activation);
  t.same(activation.calls.splice(0), ['follower']);
  norm.eval();
  chain(x, norm, activation);
  t.same(
    activation.calls.filter((call) => call === 'forward'),
    ['forward'],
  );
  t.throws(() => chain(randomTensor([3, 3, 1, 1], 1), norm.train(), activation), { name: 'ShapeError' });
});

t.test('an activation of one’s own need not know of norms', async (t) => {
  class Halve extends Activation {
    override forward(x: Tensor): Tensor {
      return x.mul(0.5);
    }
  }
  const x = randomTensor([3, 2, 1, 1], 1);
  const y = chain(x, new BatchNorm2d(2), new Halve());
  arraysEqual(t, await y.data(), await new Halve().forward(new BatchNorm2d(2).forward(x)).data(), 'value');
});

t.test('only neighbours are fused, each once', async (t) => {
  const x = randomTensor([3, 2, 1, 1], 1);
  t.equal(chain(x), x, 'nothing to do');
  const y = chain(x, new ReLU(), new BatchNorm2d(2), new BatchNorm2d(2), new ReLU(), new ReLU());
  const want = inTurn(x, [new ReLU(), new BatchNorm2d(2), new BatchNorm2d(2), new ReLU(), new ReLU()]);
  arraysEqual(t, await y.data(), await want.data(), 'value');
});
