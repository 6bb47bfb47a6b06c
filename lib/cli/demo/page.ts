import { MODELS } from '../../nn/models/index.js';
import { dataTypeAccumulatorBits } from '../../quant/bounds.js';
import { VERSION } from '../../tensor/version.js';
import { formatSeconds, percent } from '../output.js';
import { curvesChart } from '../report/curvesChart.js';
import { histogramChart } from '../report/histogramChart.js';
import { normsChart } from '../report/normsChart.js';
import { definitions, figure, heading, htmlPage, table } from '../report/page.js';
import { escapeHtml } from '../report/svg.js';
import { METHOD_LABELS } from '../report/theme.js';
import { accuracyChart } from './accuracyChart.js';
import { lossCurves, narrowestNetworks, normRows, weightHistograms } from './charts.js';
import { type DemoPlan, trainCommandOf } from './plan.js';
import { COLUMNS, cellsOf, type DemoRow, isSafe } from './rows.js';
import type { DemoResults } from './runDemo.js';

/** What a report is made of. */
export interface ReportInput {
  readonly results: DemoResults;
  readonly rows: readonly DemoRow[];
  /** What computed it. */
  readonly backend: string;
  /** How long that took. */
  readonly seconds: number;
}

/** The report as one HTML page that needs nothing else: style and drawings are in it, scripts are not. */
export async function renderReport(input: ReportInput): Promise<string> {
  const { results, rows } = input;
  const narrowest = Math.min(...results.plan.accumulatorBits);
  const sections = [
    await figure(
      (layout) => accuracyChart(rows, layout),
      'Accuracy against accumulator width for QAT, A2Q and A2Q+',
      `Solid: integer arithmetic on P-bit accumulators that wrap around, as hardware does. Dashed: the simulation
      training sees, which knows no accumulator. For A2Q and A2Q+ the two are the same, since nothing overflows.`,
    ),
    `${heading('The table')}${resultTable(rows)}`,
    heading('The price: how much weight fits'),
    await figure(
      normsChart(normRows(results)),
      'l1 norm of every hidden channel against its budget, for every accumulator width',
      `One dot is one output channel of a hidden layer, one bar the largest ℓ₁ norm its method allows at that P. A2Q+
      centres its weights and may spend about twice what A2Q may. At P = ${narrowest} channels use
      ${usedBudget(results, 'a2q')} of their budget on average under A2Q and ${usedBudget(results, 'a2q+')} under A2Q+.
      QAT knows no budget, and is the same in every panel.`,
    ),
    heading(`The weights, before and after training for ${narrowest} bits`),
    await figure(
      histogramChart(weightHistograms(results), 'integer weight q'),
      'Histogram of hidden integer weights before and after training',
      `Bars: integer weights of the hidden layers after fine-tuning. Marks: the same weights before it, that is the
      float network rounded to ${results.settings.quantized.weightBits} bits (QAT) or projected onto the ℓ₁ ball
      of its budget and truncated (A2Q, A2Q+).`,
    ),
    heading('Training'),
    await figure(
      curvesChart(lossCurves(results), { x: 'training step', y: 'cross-entropy (nats)', log: true }),
      'Training loss of every network',
      'Every quantized network starts from the float network and is fine-tuned with the same settings.',
    ),
  ];
  const body = [
    '<h1>How narrow can an accumulator be?</h1>',
    introduction(input),
    ...sections,
    `<footer>${definitions(footer(input))}</footer>`,
  ];
  return htmlPage('a2q demo: accumulators that cannot overflow', body.join('\n'));
}

/** What came of it in one paragraph, with the numbers of this run. */
function introduction({ results, rows }: ReportInput): string {
  const { plan, float, networks, settings } = results;
  const [weightBits, actBits] = [settings.quantized.weightBits as number, settings.quantized.actBits as number];
  const narrowest = Math.min(...plan.accumulatorBits);
  const at = (method: DemoRow['method']) =>
    rows.find((row) => row.method === method && row.accBits === narrowest) as DemoRow;
  const [qat, a2q, a2qPlus] = [at('qat'), at('a2q'), at('a2q+')];
  const longest = Math.max(...networks[0].layers.map(({ length }) => length));
  const safe = dataTypeAccumulatorBits(longest, weightBits, { bits: actBits, signed: false });
  const name = (method: 'qat' | 'a2q' | 'a2q+') =>
    `<strong class="${method.replace('+', '-plus')}">${METHOD_LABELS[method]}</strong>`;
  return `<p class="lead">A small convolutional network tells ten glyphs apart, ${percent(float.accuracy)} of the
time. Its hidden layers are then reduced to ${weightBits}-bit weights and ${actBits}-bit activations and run
on integer accumulators of P bits. Whatever the weights, ${safe} bits are always enough; fewer are cheaper, but a sum
that does not fit wraps around. ${name('qat')}, plain quantization-aware training, knows nothing of that: at
${narrowest} bits ${qat.overflows.toLocaleString('en-US')} partial sums overflow, and accuracy goes from
${percent(qat.accuracy)} to ${percent(qat.accumulatorAccuracy)};
its weights would need ${qat.provedAccBits} bits to be safe.
${name('a2q')} bounds the ℓ₁ norm of every channel so that no input can overflow, and has
${percent(a2q.accumulatorAccuracy)} at ${narrowest} bits; ${name('a2q+')} proves a bound about twice as large for
centred weights, and has ${percent(a2qPlus.accumulatorAccuracy)}.</p>`;
}

/** The mean share of the ℓ₁ budget that channels use at the narrowest P. */
function usedBudget(results: DemoResults, method: 'a2q' | 'a2q+'): string {
  const shares = narrowestNetworks(results)
    .filter((network) => network.method === method)
    .flatMap(({ layers }) => layers.flatMap(({ norms, budget }) => norms.map((norm) => norm / (budget as number))));
  return percent(shares.reduce((sum, share) => sum + share, 0) / shares.length, 0);
}

/** One body for the float network, then one for every P. */
function resultTable(rows: readonly DemoRow[]): string {
  const groups = new Map<number | null, string[]>();
  for (const row of rows) groups.set(row.accBits, [...(groups.get(row.accBits) ?? []), tableRow(row)]);
  return table(
    COLUMNS,
    [...groups.values()].map((lines) => lines.join('')),
    `Overflows: partial sums outside the register, over the whole test. Proved-safe P: the narrowest accumulator
that no input whatever can overflow, by the exact test of the integer weights.`,
  );
}

function tableRow(row: DemoRow): string {
  const [method, ...cells] = cellsOf(row).map(escapeHtml);
  const isBad = (column: number) =>
    (column === 2 && row.accumulatorAccuracy < row.accuracy) ||
    (column === 3 && row.overflows > 0) ||
    (column === 4 && !isSafe(row));
  const data = cells.map((cell, i) => `<td${isBad(i) ? ' class="bad"' : ''}>${cell}</td>`);
  return `<tr><th scope="row" class="${row.method.replace('+', '-plus')}">${method}</th>${data.join('')}</tr>`;
}

/** How it was measured, and how to do it again by hand. */
function footer({ results, backend, seconds }: ReportInput): [term: string, html: string][] {
  const { plan, settings } = results;
  const { float, quantized } = settings;
  const images = (count: number) => count.toLocaleString('en-US');
  const facts: [string, string][] = [
    ['Network', `${MODELS.cnn.about}, batch norm and ReLU; first and last layer of 8 bits, not constrained`],
    ['Images', `glyphs of 16×16 pixels, drawn anew each epoch; ${images(settings.testImages)} others to test on`],
    [
      'Training',
      `Adam, batches of ${float.batchSize}, ${images(settings.trainImages)} images an epoch; float: ` +
        `${float.epochs} epochs at ${float.optimizer.learningRate}; fine-tuning: ${quantized.epochs} at ` +
        `${quantized.optimizer.learningRate}, the same for every method`,
    ],
    ['Start', 'float weights; EP-init (A2Q, A2Q+); batch norms re-estimated; activation thresholds calibrated'],
    ['Run', `seed ${plan.seed}, ${formatSeconds(seconds)} on ${backend}, a2q.js ${VERSION}`],
    ['Papers', 'A2Q: Colbert et al., ICCV 2023, arXiv 2308.13504. A2Q+: Colbert et al., ICML 2024, arXiv 2401.10432'],
  ];
  return [...facts.map(([term, text]) => [term, escapeHtml(text)] as [string, string]), ['By hand', commands(plan)]];
}

/** One command for the float network, for QAT, and for A2Q and A2Q+ at the narrowest P, and one that tests them. */
function commands(plan: DemoPlan): string {
  const narrowest = Math.min(...plan.accumulatorBits);
  const lines = [
    trainCommandOf(plan, 'float', null),
    trainCommandOf(plan, 'qat', null),
    trainCommandOf(plan, 'a2q', narrowest),
    trainCommandOf(plan, 'a2q+', narrowest),
    `a2q eval --run runs/qat --last --acc-bits ${narrowest}`,
  ];
  return lines.map((line) => `<code>${escapeHtml(line)}</code>`).join('<br>');
}
