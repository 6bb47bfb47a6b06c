import t, { type Test } from 'tap';
import { endingAt } from '../../../lib/deploy/graph/endingAt.js';
import { decodeNetwork, encodeNetwork } from '../../../lib/deploy/graph/file.js';
import type { IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { lower } from '../../../lib/deploy/lowering/lower.js';
import { observeIntegers } from '../../../lib/deploy/lowering/observe.js';
import { createRuntime } from '../../../lib/deploy/runtime/createRuntime.js';
import { type IntegerValue, runReference } from '../../../lib/deploy/runtime/reference.js';
import { Espcn } from '../../../lib/nn/models/espcn.js';
import { MobileNetV1 } from '../../../lib/nn/models/mobileNetV1.js';
import { ResNet18 } from '../../../lib/nn/models/resNet18.js';
import { SmallCnn } from '../../../lib/nn/models/smallCnn.js';
import type { Module } from '../../../lib/nn/module.js';
import { layerPolicy } from '../../../lib/quant/policy.js';
import { uniform } from '../../../lib/tensor/create.js';
import { Random } from '../../../lib/tensor/random.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { settle } from '../settle.js';

const random = new Random(11);

const policy = (accumulatorBits: number, actBits = 4) =>
  layerPolicy({ method: 'a2q+', weightBits: 4, actBits, accumulatorBits, random });

const MODELS: Readonly<Record<string, readonly [make: () => Module, shape: readonly number[]]>> = {
  'small CNN': [() => new SmallCnn(policy(12), { inChannels: 1, imageSize: 16, classes: 10 }), [3, 1, 16, 16]],
  ResNet18: [() => new ResNet18(policy(12), { classes: 10, widths: [8, 8, 16, 16] }), [2, 3, 16, 16]],
  MobileNetV1: [() => new MobileNetV1(policy(14), { classes: 10, widthMultiplier: 0.1 }), [2, 3, 16, 16]],
  ESPCN: [() => new Espcn(policy(13, 3), { scale: 3, widths: [16, 16, 8] }), [1, 3, 11, 9]],
};

/** The fast engine at every value, on one thread and two. */
async function sameAtEveryValue(t: Test, graph: IntegerGraph, x: IntegerValue): Promise<void> {
  for (const { name } of graph.nodes) {
    const prefix = endingAt(graph, name);
    const want = runReference(prefix, x);
    for (const threads of [1, 2]) {
      const runtime = await createRuntime(prefix, { engine: 'wasm', threads });
      const got = await runtime.run(x);
      runtime.dispose();
      const wrong = got.data.findIndex((value, i) => value !== want.data[i]);
      if (wrong >= 0) t.fail(`${name}[${wrong}] on ${threads} threads`, { plan: runtime.plan.at(-1) });
      t.same(got.shape, want.shape);
    }
  }
}

for (const [name, [make, shape]] of Object.entries(MODELS)) {
  t.test(`${name}: model, reference and wasm, at every value`, async (t) => {
    const model = make();
    settle(model, shape, random);
    const x = uniform(shape, random, -1, 1);
    const lowered = await lower(model, x, { name });
    const graph = decodeNetwork(encodeNetwork(lowered), name);
    const { values, output } = await observeIntegers(model, x);
    const input = values.get(graph.input.name) as IntegerValue;
    let compared = 0;
    runReference(graph, input, {
      see(node, { data }) {
        const want = values.get(node.name)?.data;
        if (want === undefined) return;
        compared += 1;
        const wrong = data.findIndex((value, i) => value !== want[i]);
        if (wrong >= 0) t.fail(`${node.name}[${wrong}] is ${data[wrong]}, in the model ${want[wrong]}`);
      },
    });
    const hidden = graph.nodes.filter(({ op }) => op === 'conv' || op === 'linear' || op === 'requantize').length;
    t.ok(compared >= hidden, `${compared} of ${graph.nodes.length} values have floats beside them`);
    t.equal(output.shape[0], shape[0]);
    await sameAtEveryValue(t, graph, input);
    model.dispose();
  });
}

for (const [seed, zeros, accumulatorBits, images] of [
  [1, 0.3, null, 1],
  [2, 0.95, 10, 3],
  [3, 0.9, 14, 17],
] as const) {
  t.test(`random network ${seed}: wasm is the reference, at every value`, async (t) => {
    const graph = randomGraph({ seed, zeros, accumulatorBits, size: 7 + seed });
    await sameAtEveryValue(t, graph, randomInput(graph, images, seed));
  });
}
