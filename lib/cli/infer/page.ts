import type { WatchedLayer } from '../../deploy/laboratory/layers.js';
import { VERSION } from '../../tensor/version.js';
import { formatMetric, percent } from '../output.js';
import { type Curve, curvesChart } from '../report/curvesChart.js';
import { definitions, figure, heading, htmlPage, table } from '../report/page.js';
import { type Sums, sumsChart } from '../report/sumsChart.js';
import { escapeHtml } from '../report/svg.js';
import { colourOf, INK } from '../report/theme.js';
import type { Sweep } from './sweep.js';

/** What registers do to networks, as one HTML page that needs nothing else. The first network is the one it is about. */
export async function renderSweeps(sweeps: readonly Sweep[]): Promise<string> {
  const [first] = sweeps;
  const title = `${first.name}: accumulators of P bits`;
  const sections = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="lead">${sweeps.map(lead).join(' ')}</p>`,
    await metricFigure(sweeps),
    ...(await Promise.all(sweeps.map(layerSection))).flat(),
    `<footer>${definitions(footer(first))}</footer>`,
  ];
  return htmlPage(title, sections.join('\n'));
}

const safeBitsOf = ({ layers }: Sweep) => Math.max(...layers.map(({ safeBits }) => safeBits));
const dataTypeBitsOf = ({ layers }: Sweep) => Math.max(...layers.map(({ dataTypeBits }) => dataTypeBits));

/** What came of a network, in a few sentences. */
function lead(sweep: Sweep): string {
  const { name, exact, points, metricName, samples, dataset } = sweep;
  const metric = (value: number) => formatMetric(metricName, value);
  const safe = safeBitsOf(sweep);
  const narrower = points.filter(({ bits }) => bits < safe);
  const next = narrower[0];
  const least = narrower.at(-1);
  const sentences = [
    `<strong>${escapeHtml(name)}</strong>: ${metric(exact)} on ${samples} images of ${escapeHtml(dataset)}, whatever the`,
    `order of sums, on accumulators of <strong>${safe} bits</strong> or more: no input can overflow them.`,
  ];
  if (next)
    sentences.push(
      `On ${next.bits} bits ${metric(next.wrap)} if they wrap,`,
      `${metric(next.saturate)} if they saturate`,
    );
  if (next && least && least !== next) {
    sentences.push(`; on ${least.bits} bits ${metric(least.wrap)} and ${metric(least.saturate)}`);
  }
  return `${sentences.join(' ').replace(' ;', ';')}${next ? '.' : ''}`;
}

async function metricFigure(sweeps: readonly Sweep[]): Promise<string> {
  const [{ metricName }] = sweeps;
  const isAccuracy = metricName === 'accuracy';
  const single = sweeps.length === 1;
  const curves = sweeps.flatMap((sweep): Curve[] => {
    const points = [...sweep.points].reverse();
    const [low, high] = [points[0].bits, points[points.length - 1].bits];
    const safe = safeBitsOf(sweep);
    const panel = single ? {} : { panel: sweep.name };
    const of = (name: string, colour: string, pick: (point: Sweep['points'][number]) => number): Curve => ({
      ...{ name, colour, ...panel },
      points: points.map((point) => ({ x: point.bits, y: pick(point) })),
    });
    const guaranteed = [Math.max(low, safe), Math.max(high, safe)].map((x) => ({ x, y: sweep.exact }));
    return [
      of('wraps', colourOf('qat'), ({ wrap }) => wrap),
      of('saturates', colourOf('a2q'), ({ saturate }) => saturate),
      { name: 'guaranteed', colour: colourOf('a2q+'), points: guaranteed, ...panel },
    ];
  });
  const rules = single
    ? [
        { x: safeBitsOf(sweeps[0]), name: 'safe P' },
        { x: dataTypeBitsOf(sweeps[0]), name: 'data-type bound' },
      ]
    : [];
  const most = Math.max(...sweeps.flatMap(({ points }) => points.map(({ bits }) => bits)));
  return figure(
    curvesChart(curves, {
      x: 'accumulator bits P',
      y: isAccuracy ? 'accuracy' : 'PSNR (dB)',
      ...(isAccuracy ? { format: '.0%', most: 1 } : {}),
      rules: rules.filter(({ x }) => x <= Math.max(most, safeBitsOf(sweeps[0]))),
      height: 260,
    }),
    `${isAccuracy ? 'Accuracy' : 'PSNR'} against the bits of the accumulators, wrapping, saturating and guaranteed`,
    'Sums are formed in simulated registers of P bits. <em>Guaranteed</em> begins at the narrowest register that the ' +
      'weights prove safe for every input and every order of sums; from there on nothing differs by a bit.',
  );
}

async function layerSection(sweep: Sweep): Promise<string[]> {
  const { name, layers, histograms } = sweep;
  const sums = layers.map((layer): Sums => {
    const histogram = histograms.get(layer.node.name);
    const total = histogram?.total || 1;
    const bars = (histogram?.bars() ?? []).map(({ low, bits, count }) => {
      return { bits, negative: low < 0, share: count / total };
    });
    const { low, high, claimedBits } = layer;
    return { name: layer.node.name, colour: INK, bars, low, high, bits: claimedBits ?? drawnBits(sweep) };
  });
  return [
    heading(`Layers of ${name}`),
    layerTable(sweep),
    await figure(
      sumsChart(sums),
      `Histogram of the partial sums of every layer of ${name}`,
      'Partial sums of exact runs, by the bits that they need in two’s complement. Band and dashed lines: what the ' +
        'weights allow at all, whatever the input. Red lines: the ends of the register that the layer was trained for, ' +
        `or of ${drawnBits(sweep)} bits; what lies beyond them overflows.`,
    ),
  ];
}

/** The register drawn where a layer was trained for none: the narrowest of those tried. */
const drawnBits = ({ points }: Sweep) => points[points.length - 1].bits;

const COLUMNS = ['layer', 'terms K', 'trained for P', 'safe P', 'data-type bound', 'bits used', 'sums beyond P'];

function layerTable({ layers, histograms, points }: Sweep): string {
  const narrow = points[points.length - 1].bits;
  const rows = layers.map((layer: WatchedLayer) => {
    const { node, length, claimedBits, safeBits, dataTypeBits } = layer;
    const histogram = histograms.get(node.name);
    const used = (histogram?.bars() ?? []).reduce((most, bar) => (bar.count > 0 ? Math.max(most, bar.bits) : most), 0);
    const total = histogram?.total || 1;
    const p = claimedBits ?? narrow;
    const share = (histogram?.beyond(p) ?? 0) / total;
    const cells = [length, claimedBits ?? '–', safeBits, dataTypeBits, used, `${percent(share, 2)} of P = ${p}`];
    const bad = (i: number) => (i === 5 && share > 0 ? ' class="bad"' : '');
    const data = cells.map((cell, i) => `<td${bad(i)}>${cell}</td>`).join('');
    return `<tr><th scope="row">${escapeHtml(node.name)}</th>${data}</tr>`;
  });
  const caption =
    'Safe P: the narrowest accumulator that no input whatever can overflow. Data-type bound: what any weights of these ' +
    'bits would need. Bits used: the most that a partial sum needed on these images.';
  return table(COLUMNS, [rows.join('')], caption);
}

function footer({ samples, dataset, order, metricName }: Sweep): [term: string, html: string][] {
  const measured = `${metricName} of ${samples} images of ${dataset}; sums ${order}; partial sums of the first batch`;
  return [['Measured', escapeHtml(`${measured}; a2q.js ${VERSION}`)]];
}
