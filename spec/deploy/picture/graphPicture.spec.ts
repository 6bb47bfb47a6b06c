import t from 'tap';
import { isProduct } from '../../../lib/deploy/graph/graph.js';
import { graphPicture } from '../../../lib/deploy/picture/graphPicture.js';
import { formatIntegers, nodeFacts } from '../../../lib/deploy/picture/nodeFacts.js';
import { arcsOf } from '../../../lib/deploy/picture/rails.js';
import { randomGraph } from '../randomGraph.js';

t.test('integers by their width', async (t) => {
  const widths = [
    [0, 15, 'u4'],
    [0, 255, 'u8'],
    [0, 1, 'u1'],
    [-8, 7, 's4'],
    [-7, 7, 's4'],
    [-1, 1, 's2'],
    [-128, 127, 's8'],
    [-129, 0, 's9'],
  ] as const;
  for (const [low, high, text] of widths) t.equal(formatIntegers({ low, high }), text, `${low} … ${high}`);
});

t.test('edges that pass rows by run in lanes of their own', async (t) => {
  t.same(arcsOf([[], [0], [1]]), [], 'a chain needs none');
  t.same(arcsOf([[], [0], [1], [2, 0]]), [{ from: 0, to: 3, lane: 0 }]);
  const nested = arcsOf([[], [0], [1], [2, 1], [3, 0]]);
  t.same(nested, [
    { from: 1, to: 3, lane: 0 },
    { from: 0, to: 4, lane: 1 },
  ]);
  t.same(
    arcsOf([[], [0], [1, 0], [2], [3, 2]]).map(({ lane }) => lane),
    [0, 0],
    'one after the other share a lane',
  );
});

t.test('facts of a network', async (t) => {
  const graph = randomGraph({ seed: 1, accumulatorBits: 12 });
  const facts = await nodeFacts(graph);
  t.equal(facts.length, graph.nodes.length + 1);
  t.equal(facts.filter(({ layer }) => layer !== null).length, graph.nodes.filter(isProduct).length);
  const [input, conv1] = facts;
  t.match(input, { op: 'input', shape: [3, 8, 8], inputs: [] });
  t.match(conv1, { name: 'conv1', label: 'conv 3×3', inputs: [0], layer: { weightBits: 8, inputs: 'u8' } });
  const depthwise = facts.find(({ name }) => name === 'depthwise');
  t.match(depthwise, { label: 'depthwise 3×3', layer: { accumulatorBits: 12, inputs: 'u4' } });
  t.ok((depthwise?.layer?.used ?? 2) <= 1, 'within its budget');
  t.match(facts.find(({ name }) => name === 'act1')?.grid, { integers: 'u4', thresholds: 15, rows: 8, error: 0 });
  t.match(facts.find(({ name }) => name === 'act6')?.grid, { thresholds: null, error: 1 });
});

t.test('the picture names every layer, and what is odd in names stays text', async (t) => {
  const graph = randomGraph({ seed: 2 });
  for (const narrow of [false, true]) {
    const svg = await graphPicture(graph, { narrow });
    t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 (740|340) \d+"/);
    for (const { name, op } of graph.nodes) if (op !== 'requantize') t.ok(svg.includes(name), name);
    t.equal(svg.split('<rect').length - 1, 3 * graph.nodes.filter(isProduct).length, 'a mark and a bar each');
  }
  const odd = { ...graph, name: '"><script>\u0000&' };
  const svg = await graphPicture(odd);
  t.notMatch(svg, /<script/);
  t.notOk(svg.includes('\u0000'));
  t.match(svg, /&quot;&gt;&lt;script&gt;&amp;/);
});
