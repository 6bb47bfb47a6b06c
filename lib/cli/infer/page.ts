import type { AccuracyByBits, BitsPoint } from '../../deploy/laboratory/accuracyByBits.js';
import type { WatchedLayer } from '../../deploy/laboratory/layers.js';
import { VERSION } from '../../tensor/version.js';
import { formatMetric, percent } from '../output.js';
import { type Curve, curvesChart } from '../report/curvesChart.js';
import { definitions, figure, heading, htmlPage, table } from '../report/page.js';
import { type Sums, sumsChart } from '../report/sumsChart.js';
import { escapeHtml } from '../report/svg.js';
import { colourOf, INK } from '../report/theme.js';

/** A network's metric on registers of all widths. */
export interface Sweep extends AccuracyByBits {
  /** Of the network. */
  readonly name: string;
  readonly metricName: 'accuracy' | 'psnr';
  /** Of the data set. */
  readonly dataset: string;
  readonly order: string;
}

/** What registers do to networks, as one HTML page that needs nothing else; it is about the first of them. */
export async function renderSweeps(sweeps: readonly Sweep[]): Promise<string> {
  const [first] = sweeps;
  const drawn = drawnBits(first);
  const title = `${first.name}: accumulators of P bits`;
  const sections = [
    `<h1>${escapeHtml(title)}</h1>`,
    ...sweeps.map((sweep) => `<p class="lead">${lead(sweep)}</p>`),
    await metricFigure(sweeps),
    ...(await Promise.all(sweeps.map((sweep) => layerSection(sweep, drawn)))).flat(),
    `<footer>${definitions(footer(first))}</footer>`,
  ];
  return htmlPage(title, sections.join('\n'));
}

const safeBitsOf = ({ layers }: Sweep) => Math.max(...layers.map(({ safeBits }) => safeBits));
const dataTypeBitsOf = ({ layers }: Sweep) => Math.max(...layers.map(({ dataTypeBits }) => dataTypeBits));

/** Losses that are none to the eye: a point of accuracy, a tenth of a dB. */
const SLIGHT = { accuracy: 0.01, psnr: 0.1 } as const;

/** The narrowest register of those tried above which the metric, of these images, is slightly lowered at most. */
function keptBits({ points, exact, metricName }: Sweep, pick: (point: BitsPoint) => number): number | null {
  const lost = points.findIndex((point) => pick(point) < exact - SLIGHT[metricName]);
  return lost === 0 ? null : (points[lost === -1 ? points.length - 1 : lost - 1]?.bits ?? null);
}

const wrapOf = ({ wrap }: BitsPoint) => wrap;
const saturateOf = ({ saturate }: BitsPoint) => saturate;

/** What came of a network, in a few sentences. */
function lead(sweep: Sweep): string {
  const { name, exact, points, metricName, samples, dataset } = sweep;
  const metric = (value: number) => formatMetric(metricName, value);
  const [wraps, saturates] = [keptBits(sweep, wrapOf), keptBits(sweep, saturateOf)];
  const slight = metricName === 'accuracy' ? 'a point' : `${SLIGHT.psnr} dB`;
  const proved =
    `<strong>${escapeHtml(name)}</strong>: ${metric(exact)} on ${samples} images of ${escapeHtml(dataset)}. ` +
    `Proved: on accumulators of <strong>${safeBitsOf(sweep)} bits</strong> no input can change a bit of it, ` +
    'in any order of sums.';
  if (wraps === null || saturates === null) return proved;
  const below = points.find(({ bits }) => bits < wraps);
  const seen = `Seen, on these images alone: it is kept within ${slight} down to ${wraps} bits by registers that`;
  const lost = below ? `; on ${below.bits} bits it is ${metric(below.wrap)} and ${metric(below.saturate)}` : '';
  return `${proved} ${seen} wrap, and down to ${saturates} bits by those that saturate${lost}.`;
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
      of('wraps', colourOf('qat'), wrapOf),
      of('saturates', colourOf('a2q'), saturateOf),
      { name: 'guaranteed', colour: colourOf('a2q+'), points: guaranteed, ...panel },
    ];
  });
  const most = Math.max(...sweeps.flatMap((sweep) => [sweep.points[0].bits, safeBitsOf(sweep)]));
  const rules = sweeps
    .flatMap((sweep) => {
      const panel = single ? {} : { panel: sweep.name };
      const safe = { x: safeBitsOf(sweep), name: 'safe', ...panel };
      return [safe, { x: dataTypeBitsOf(sweep), name: 'data-type bound', ...panel }];
    })
    .filter(({ x }) => x <= most);
  return figure(
    curvesChart(curves, {
      x: 'accumulator bits P',
      y: isAccuracy ? 'accuracy' : 'PSNR (dB)',
      ...(isAccuracy ? { format: '.0%', most: 1 } : {}),
      rules,
      height: 260,
    }),
    `${isAccuracy ? 'Accuracy' : 'PSNR'} against the bits of the accumulators, wrapping, saturating and guaranteed`,
    'Sums are formed in simulated registers of P bits. <em>Guaranteed</em> begins at the narrowest register that the ' +
      'weights prove safe for every input and every order of sums; from there on nothing differs by a bit.',
  );
}

async function layerSection(sweep: Sweep, drawn: number): Promise<string[]> {
  const { name, layers, histograms } = sweep;
  const sums = layers.map((layer): Sums => {
    const histogram = histograms.get(layer.node.name);
    const total = histogram?.total || 1;
    const bars = (histogram?.bars() ?? []).map(({ low, bits, count }) => {
      return { bits, negative: low < 0, share: count / total };
    });
    const { low, high, claimedBits } = layer;
    return { name: layer.node.name, colour: INK, bars, low, high, bits: claimedBits ?? drawn };
  });
  return [
    heading(`Layers of ${name}`),
    layerTable(sweep, drawn),
    await figure(
      sumsChart(sums),
      `Histogram of the partial sums of every layer of ${name}`,
      'Partial sums of exact runs, by the bits that they need in two’s complement. Band and dashed lines: what the ' +
        'weights allow at all, whatever the input. Red lines: the ends of the register that the layer was trained ' +
        `for, or of ${drawn} bits; what lies beyond them overflows. Negative sums are on the left.`,
    ),
  ];
}

/** The register drawn where a layer was trained for none: that of the others, else the widest that does harm. */
function drawnBits(sweep: Sweep): number {
  const claimed = sweep.layers.flatMap(({ claimedBits }) => (claimedBits === null ? [] : [claimedBits]));
  if (claimed.length > 0) return Math.max(...claimed);
  const kept = keptBits(sweep, wrapOf) ?? Number.POSITIVE_INFINITY;
  return (sweep.points.find(({ bits }) => bits < kept) ?? sweep.points[sweep.points.length - 1]).bits;
}

const COLUMNS = ['layer', 'terms K', 'trained for P', 'safe P', 'data-type bound', 'bits used', 'sums beyond P'];

function layerTable({ layers, histograms }: Sweep, drawn: number): string {
  const rows = layers.map((layer: WatchedLayer) => {
    const { node, length, claimedBits, safeBits, dataTypeBits } = layer;
    const histogram = histograms.get(node.name);
    const used = (histogram?.bars() ?? []).reduce((most, bar) => (bar.count > 0 ? Math.max(most, bar.bits) : most), 0);
    const total = histogram?.total || 1;
    const p = claimedBits ?? drawn;
    const share = (histogram?.beyond(p) ?? 0) / total;
    const cells = [length, claimedBits ?? '–', safeBits, dataTypeBits, used, `${percent(share, 2)} of P = ${p}`];
    const bad = (i: number) => (i === 5 && share > 0 ? ' class="bad"' : '');
    const data = cells.map((cell, i) => `<td${bad(i)}>${cell}</td>`).join('');
    return `<tr><th scope="row">${escapeHtml(node.name)}</th>${data}</tr>`;
  });
  const caption =
    'Safe P: the narrowest accumulator that no input whatever can overflow. Data-type bound: what any weights of ' +
    'these bits would need. Bits used: the most that a partial sum needed on these images.';
  return table(COLUMNS, [rows.join('')], caption);
}

function footer({ samples, dataset, order, metricName }: Sweep): [term: string, html: string][] {
  const measured = `${metricName} of ${samples} images of ${dataset}; sums ${order}; partial sums of the first batch`;
  return [['Measured', escapeHtml(`${measured}; a2q.js ${VERSION}`)]];
}
