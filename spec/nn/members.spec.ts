import t from 'tap';
import { Buffer, Counter, Linear, Module, Parameter, ReLU, Sequential, SGD } from '../../lib/nn/index.js';
import { a2q } from '../../lib/quant/accumulatorAware.js';
import { uintActivation } from '../../lib/quant/activation.js';
import { QuantLinear, quantLayers } from '../../lib/quant/layers.js';
import { accumulatorPenalty } from '../../lib/quant/penalty.js';
import { tensor } from '../../lib/tensor/create.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { useReference } from './support.js';

useReference();

/** A module of whatever fields. */
class Bag extends Module {
  constructor(fields: object) {
    super();
    Object.assign(this, fields);
  }

  override forward(x: Tensor): Tensor {
    return x;
  }
}

const linear = (seed = 0) => new Linear(2, 2, { random: new Random(seed), bias: false });
const parameter = () => new Parameter(tensor([1]));
const namesOf = (model: Module) => [...model.namedParameters()].map(([name]) => name);

t.test(
  'modules and state are found in arrays, plain objects and Maps, nested, with the names of PyTorch',
  async (t) => {
    const model = new Bag({
      layers: [linear(), [linear(), linear()]],
      blocks: { upPath: linear(), down: [linear()] },
      byWidth: new Map<unknown, unknown>([
        ['narrow', linear()],
        [7, { deep: new Map([['er', linear()]]) }],
      ]),
      scales: [parameter(), { x: parameter() }],
      bare: Object.assign(Object.create(null), { w: parameter() }),
      counts: [new Counter(3), new Buffer(tensor([2]))],
      kernel: [3, 3],
      numbers: new Float32Array(1e6),
      nothing: null,
    });
    t.same(namesOf(model), [
      'scales.0',
      'scales.1.x',
      'bare.w',
      'layers.0.weight',
      'layers.1.0.weight',
      'layers.1.1.weight',
      'blocks.upPath.weight',
      'blocks.down.0.weight',
      'by_width.narrow.weight',
      'by_width.7.deep.er.weight',
    ]);
    t.same([...(await model.stateDict()).keys()].slice(3, 5), ['counts.0', 'counts.1']);
    t.ok(
      model
        .eval()
        .namedModules()
        .every(([, module]) => !module.training),
      'eval reaches all of them',
    );
    const copy = new Bag({ blocks: new Map([['down', [linear(1)]]]) });
    t.same(copy.loadStateDict(await model.stateDict(), { partial: true }).missing, []);
  },
);

t.test('what cannot be found or named is refused by name', async (t) => {
  const refused = (fields: object, message: RegExp) =>
    t.throws(() => new Bag(fields).parameters(), { name: 'A2QError', message });
  refused({ parts: new Set([linear()]) }, /^Module: parts holds modules or parameters in a Set/);
  class Holder {
    readonly inner = linear();
  }
  refused({ parts: [new Holder()] }, /parts\.0 holds modules or parameters in a Holder.*#field/);
  refused({ parts: { 'a.b': linear() } }, /parts holds a module or parameter under the key 'a\.b'/);
  refused({ parts: new Map([['', parameter()]]) }, /under the key ''/);
  refused({ parts: new Map([[{}, [parameter()]]]) }, /under the key '\[object Object\]'/);
  t.throws(() => new Bag({ fooBar: parameter(), foo_bar: parameter() }).parameters(), {
    name: 'DataError',
    message: 'Module: two entries of the state are called foo_bar',
  });
  t.same(namesOf(new Bag({ sizes: new Set([1]), random: new Random(0), seen: new WeakMap(), log: () => {} })), []);
});

t.test('modules and containers may refer to each other in circles', (t) => {
  const child = new Bag({ w: parameter() });
  const list: unknown[] = [child];
  list.push(list, { list });
  const model = new Bag({ list, map: new Map([['list', list]]) });
  Object.assign(child, { parent: model });
  t.same(namesOf(model), ['list.0.w']);
  t.same(
    model.namedModules().map(([name]) => name),
    ['', 'list.0'],
  );
  t.end();
});

t.test('a layer in two places is one layer, everywhere', async (t) => {
  const make = () =>
    new QuantLinear(4, 4, {
      weight: a2q({ bits: 4, accumulatorBits: 8 }),
      input: uintActivation({ bits: 4 }),
      bias: false,
      random: new Random(0),
    });
  const once = new Sequential(make());
  const shared = make();
  const twice = new Sequential(shared, new ReLU(), new Sequential(shared));
  t.equal(twice.parameterCount(), once.parameterCount());
  t.same(namesOf(twice), namesOf(once), 'under the first name');
  t.same(
    [...quantLayers(twice)].map(([name]) => name),
    ['0'],
  );
  t.equal(await accumulatorPenalty(twice)?.item(), await accumulatorPenalty(once)?.item());
  t.doesNotThrow(() => new SGD(twice.parameters(), { learningRate: 0.1 }));
});

t.test('shared weights are written under one name and read under any', async (t) => {
  const [encoder, decoder] = [linear(1), linear(2)];
  const tied = new Bag({ encoder, decoder: Object.assign(decoder, { weight: encoder.weight }) });
  t.same([...(await tied.stateDict()).keys()], ['encoder.weight']);
  const entry = (...data: readonly number[]) => ({ shape: [2, 2], data: Float32Array.from(data) });
  tied.loadStateDict(new Map([['decoder.weight', entry(1, 2, 3, 4)]]));
  arraysEqual(t, await encoder.weight.data(), [1, 2, 3, 4], 'under its other name');
  const both = (other: number) =>
    new Map([
      ['encoder.weight', entry(5, 6, 7, 8)],
      ['decoder.weight', entry(5, 6, 7, other)],
    ]);
  tied.loadStateDict(both(8));
  arraysEqual(t, await encoder.weight.data(), [5, 6, 7, 8], 'under both, as PyTorch writes it');
  t.throws(() => tied.loadStateDict(both(9)), {
    name: 'DataError',
    message: 'loadStateDict: decoder.weight is shared, and differs under another name',
  });
});
