import t from 'tap';
import { startEngine } from '../../../bench/exact/engines.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { noChromium } from '../../browser/chromium.js';
import { randomGraph, randomInput } from '../randomGraph.js';

t.setTimeout(120_000);

for (const threads of [1, 2]) {
  t.test(`Chromium gives the reference's integers, on ${threads} threads`, { skip: noChromium }, async (t) => {
    const graph = randomGraph({ seed: 5, zeros: 0.9, accumulatorBits: 12 });
    const engine = await startEngine(`chromium:${threads}`, graph);
    t.teardown(() => engine.dispose());
    t.match(engine.name, new RegExp(`^Chromium [\\d.]+, wasm, \\w+ SIMD, ${threads} thread`));
    for (const images of [1, 3, 17]) {
      const x = randomInput(graph, images, images);
      t.same(await engine.run(x), runReference(graph, x), `${images} images`);
    }
  });
}
