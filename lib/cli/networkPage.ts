import type { IntegerGraph } from '../deploy/graph/graph.js';
import { drawFacts } from '../deploy/picture/graphPicture.js';
import { formatIntegers, type NodeFacts } from '../deploy/picture/nodeFacts.js';
import { definitions, heading, htmlPage } from './report/page.js';
import { escapeHtml } from './report/svg.js';

/** A page that shows a network: what it is, its picture for wide screens and for phones, how to read it. */
export function networkPage(graph: IntegerGraph, nodes: readonly NodeFacts[]): string {
  const layers = nodes.flatMap(({ layer }) => (layer ? [layer] : []));
  const claims = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  const kept = claims.filter(({ accumulatorBits, safeBits }) => safeBits <= (accumulatorBits ?? 0));
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  const zeros = layers.reduce((sum, layer) => sum + layer.weights * layer.zeros, 0);
  const { input, task, notes } = graph;
  const verdict =
    claims.length === 0
      ? 'No layer claims an accumulator width; the smallest safe P is what each would need.'
      : kept.length === claims.length
        ? `All ${claims.length} layers that claim a width P keep to it, whatever the input.`
        : `${claims.length - kept.length} of ${claims.length} layers that claim a width P can overflow.`;
  const facts: [string, string][] = [
    ['input', `${escapeHtml(formatIntegers(input))}, ${input.low} … ${input.high}, shape ${input.shape.join('×')}`],
    [
      'layers',
      `${layers.length} with ${weights} weights, ${(100 * (zeros / Math.max(1, weights))).toFixed(1)} % of them 0`,
    ],
    [
      'for',
      task === null
        ? 'not said'
        : task.kind === 'labels'
          ? `${task.classes.length} classes`
          : `pictures ×${task.factor}`,
    ],
  ];
  const picture = (narrow: boolean) =>
    `<div class="${narrow ? 'narrow' : 'wide'}">${drawFacts(graph.name, nodes, narrow)}</div>`;
  const remarks = notes.map((note) => `<p class="muted">${escapeHtml(note)}</p>`).join('');
  return htmlPage(
    `${graph.name}: a network of integers`,
    `<h1>${escapeHtml(graph.name)}</h1>
<p class="lead">${verdict}</p>
${definitions(facts)}
${heading('The network')}
<figure>${picture(false)}${picture(true)}<figcaption>Values go down; what passes rows by, as residual connections do,
runs at the left. Squares sum products, rings add or join values, small dots are requantizations. M is the width of the
weights, N that of what a layer reads (u unsigned, s signed), P the width of its accumulator: green where it is proved,
red where a sum can leave it. Safe P is the smallest that no input overflows. Budget used is the largest l1 norm of a
channel in parts of what P allows; without a P, the largest sum in parts of what safe P holds.</figcaption></figure>
${remarks}`,
  );
}
