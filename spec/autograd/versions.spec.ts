import '../startReference.js';
import t from 'tap';
import * as a2q from '../../lib/index.js';

const { add, backward, BatchNorm2d, Conv2d, Linear, mean, mul, Parameter, Random, ReLU, Sequential, SGD } = a2q;
const { square, sum, tensor } = a2q;

const stale = (op: string, what: string, from: number, to: number) => ({
  name: 'TapeError',
  message:
    `backward: ${op} saved its ${what} at version ${from}, and it was overwritten since (now version ${to}); ` +
    `run backward before what overwrites it, such as an optimizer's step`,
});
const BACKENDS = a2q.BACKEND_NAMES.filter((name) => !name.startsWith('gpu'));

for (const name of BACKENDS) {
  t.test(`what a graph still needs may not be overwritten: ${name}`, async (t) => {
    a2q.setBackend(a2q.backendNamed(name));
    const parameter = (...values: number[]) => new Parameter(tensor(values));

    const w = parameter(1, 2);
    const written = sum(square(w));
    w.write(Float32Array.of(3, 4));
    t.throws(() => backward(written), stale('square', 'input 0 [2]', 0, 1), 'write');
    t.equal(w.grad, null, 'and no gradient of another point is left');

    const assigned = sum(mul(w, w));
    w.assign(tensor([5, 6]));
    t.throws(() => backward(assigned), stale('mul', 'input 1 [2]', 1, 2), 'assign');

    const shared = sum(square(w));
    w.detach().write(Float32Array.of(0, 0));
    t.throws(() => backward(shared), stale('square', 'input 0 [2]', 2, 3), 'through another view');

    const x = tensor([1, 2]);
    const linear = sum(mul(w, x));
    w.write(Float32Array.of(9, 9));
    t.doesNotThrow(() => backward(linear), 'the gradient of a product does not need the factor it goes to');

    const first = new Linear(2, 2, { random: new Random(0) });
    const second = new Linear(2, 1, { random: new Random(1) });
    const model = new Sequential(first, second);
    const optimizers = {
      SGD: new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9 }),
      Adam: new a2q.Adam(model.parameters(), { learningRate: 0.1 }),
      AdamW: new a2q.AdamW(model.parameters(), { learningRate: 0.1 }),
    };
    for (const [type, optimizer] of Object.entries(optimizers)) {
      const input = tensor([[1, 2]]);
      const before = sum(model.forward(input));
      backward(sum(model.forward(input)));
      optimizer.step();
      t.throws(
        () => backward(before),
        { name: 'TapeError', message: /^backward: matmul saved its input 1 \[1, 2, 1\]/ },
        type,
      );
      optimizer.zeroGrad();
    }

    const input = tensor([[1, 2]]);
    const loaded = sum(model.forward(input));
    model.loadStateDict(await model.stateDict());
    t.throws(() => backward(loaded), { name: 'TapeError', message: /overwritten since/ }, 'loadStateDict');

    const twice = sum(square(w));
    backward(twice, undefined, { retain: true });
    t.doesNotThrow(() => backward(twice, undefined, { retain: true }), 'again, with nothing written');
    w.write(Float32Array.of(1, 1));
    t.throws(() => backward(twice), { name: 'TapeError', message: /overwritten since/ });
  });

  t.test(`ordinary loops raise no alarm: ${name}`, async (t) => {
    a2q.setBackend(a2q.backendNamed(name));
    const random = new Random(0);
    const input = a2q.uintActivation({ bits: 4, collectStatsSteps: 2 });
    const conv = new Conv2d(1, 2, 3, { random, padding: 1 });
    const norm = new BatchNorm2d(2);
    const quantized = new a2q.QuantConv2d(2, 2, 3, {
      ...{ weight: a2q.a2qPlus({ bits: 4, accumulatorBits: 12 }), input, random, padding: 1 },
    });
    const model = new Sequential(conv, norm, new ReLU(), quantized, norm, new ReLU(), quantized);
    const optimizer = new SGD(model.parameters(), { learningRate: 0.01, momentum: 0.9 });
    const batch = () => a2q.uniform([2, 1, 4, 4], random);
    const loss = () => add(mean(square(model.forward(batch()))), a2q.accumulatorPenalty(model) ?? 0);
    for (let step = 0; step < 5; step++) {
      backward(loss());
      backward(loss());
      optimizer.step();
      optimizer.zeroGrad();
      model.eval();
      a2q.noGrad(() => model.forward(batch()));
      model.train();
    }
    model.eval();
    backward(loss());
    optimizer.step();
    t.ok(
      Number.isFinite(await loss().item()),
      'five steps, shared layers, statistics, two passes a step, frozen norms',
    );
  });
}
