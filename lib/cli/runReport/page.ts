import type { Method } from '../../quant/methods.js';
import { VERSION } from '../../tensor/version.js';
import type { RunConfig } from '../../train/config.js';
import type { LogLine } from '../../train/log.js';
import { modelName } from '../../train/models.js';
import { formatMetric, formatSeconds, percent } from '../output.js';
import { curvesChart } from '../report/curvesChart.js';
import { histogramChart } from '../report/histogramChart.js';
import { normsChart } from '../report/normsChart.js';
import { definitions, figure, heading, htmlPage, table } from '../report/page.js';
import { escapeHtml } from '../report/svg.js';
import { colourOf, INK, METHOD_LABELS, MUTED } from '../report/theme.js';
import { settingsAsFlags } from '../settingsText.js';
import type { Answers } from './answers.js';
import { answerSection } from './answersSection.js';
import type { LayerFacts } from './layers.js';

/** What the report of a run is made of. */
export interface RunReport {
  /** Of the checkpoint, and of the run as it is now: it may have been gone on with for longer. */
  readonly config: RunConfig;
  readonly run: RunConfig;
  /** The run's folder, and where its data are, as one would type them; null if they are built in. */
  readonly folder: string;
  readonly dataDir: string | null;
  /** The checkpoint that layers and answers are of, and its epoch, from 0; null if that is not known. */
  readonly checkpoint: string;
  readonly epoch: number | null;
  readonly log: readonly LogLine[];
  readonly layers: readonly LayerFacts[];
  /** Null if no images were looked at. */
  readonly answers: Answers | null;
  /** What computed layers and answers. */
  readonly backend: string;
}

/** The report of a run as one HTML page that needs nothing else. */
export async function renderRun(report: RunReport): Promise<string> {
  const { config } = report;
  const title = `${modelName(config)} on ${config.dataset.name}: ${methodText(config)}`;
  const sections = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="lead">${lead(report)}</p>`,
    ...(await trainingSection(report)),
    ...(report.answers ? answerSection(report.answers, hueOf(config.method)) : []),
    ...(await layerSection(report)),
    `<footer>${definitions(footer(report))}</footer>`,
  ];
  return htmlPage(title, sections.join('\n'));
}

function hueOf(method: Method): string {
  return method === 'float' ? INK : colourOf(method);
}

function methodText({ method, weightBits, actBits, accumulatorBits }: RunConfig): string {
  const bits = weightBits === undefined ? '' : `, W${weightBits}A${actBits}`;
  return `${METHOD_LABELS[method]}${accumulatorBits === undefined ? '' : ` for ${accumulatorBits} bits`}${bits}`;
}

/** What came of it, in two or three sentences. */
function lead(report: RunReport): string {
  const { config, layers } = report;
  const sentences = [measured(report)];
  const needed = layers.flatMap(({ role, accumulator }) => (role === 'hidden' && accumulator ? [accumulator] : []));
  if (needed.length === 0) return sentences.join(' ');
  const safe = needed.reduce((most, { safeBits }) => Math.max(most, safeBits), 0);
  const isSafe = needed.every(({ proved }) => proved === true);
  sentences.push(
    isSafe
      ? `No input whatever overflows the ${config.accumulatorBits}-bit accumulators of its hidden layers.`
      : `Its hidden layers need accumulators of <strong>${safe} bits</strong>, so that no input can overflow them.`,
  );
  return sentences.join(' ');
}

/** How good it is, on which images, and after how much training. */
function measured({ log, answers, epoch, run }: RunReport): string {
  const when = epoch === null ? '' : `, after epoch ${epoch + 1} of ${run.epochs}`;
  if (answers) {
    const metric = formatMetric(answers.kind === 'labels' ? 'accuracy' : 'psnr', answers.metric);
    return `<strong>${metric}</strong> on ${answers.samples} test images${when}.`;
  }
  const line = log.find((each) => each.epoch === epoch);
  if (!line) return '';
  const metric = formatMetric(line.metricName, line.testMetric);
  return `<strong>${metric}</strong> on the ${TESTED[line.testedOn ?? 'test']} images${when}.`;
}

/** What images are called by which an epoch was measured. */
const TESTED = { test: 'test', val: 'validation' } as const;

/** Why the figures of epochs are not those of the page's head; empty if they are of the same images. */
function whichImages({ config, answers }: RunReport): string {
  const { valShare } = config;
  if (valShare === undefined) return '';
  const head = answers ? ' The figure at the top is of the test images, which chose nothing, so the two differ.' : '';
  const kept = `Validation images are ${percent(valShare)} of the training images, set apart to choose the best epoch.`;
  return ` ${kept}${head}`;
}

async function trainingSection(report: RunReport): Promise<string[]> {
  const { log, config } = report;
  if (log.length === 0) return [];
  const tested = TESTED[log[0].testedOn ?? 'test'];
  const hue = hueOf(config.method);
  const points = (of: (line: LogLine) => number) =>
    log.flatMap((line) => (Number.isFinite(of(line)) ? [{ x: line.epoch + 1, y: of(line) }] : []));
  const drawn = (of: (line: LogLine) => number, name = '', colour = hue) => ({ name, colour, points: points(of) });
  const losses = [drawn((line) => line.loss, 'training', MUTED), drawn((line) => line.testLoss, tested)];
  const log10 = log.every(({ loss, testLoss }) => loss > 0 && testLoss > 0);
  const isAccuracy = log[0].metricName === 'accuracy';
  const metric = {
    x: 'epoch',
    y: isAccuracy ? 'accuracy' : 'PSNR (dB)',
    ...(isAccuracy ? { format: '.1%', most: 1 } : {}),
  };
  const lossName = isAccuracy ? 'cross-entropy (nats)' : 'mean squared error';
  return [
    heading('Training'),
    await figure(
      curvesChart([drawn((line) => line.testMetric)], metric),
      `${metric.y} on ${tested} images after each epoch`,
      (isAccuracy
        ? `Share of ${tested} images told right, after each epoch.`
        : `Mean over the ${tested} images, after each epoch.`) + whichImages(report),
    ),
    await figure(
      curvesChart(losses, { x: 'epoch', y: lossName, log: log10 }),
      `Loss of training and ${tested} after each epoch`,
      'Training loss is the mean over the steps of an epoch, with the penalty of the bound left out.',
    ),
    await figure(
      curvesChart([drawn((line) => line.learningRate)], { x: 'epoch', y: 'learning rate', height: 90 }),
      'Learning rate of each epoch',
      `The learning rate. ${formatSeconds(log.reduce((sum, { seconds }) => sum + seconds, 0))} of training in all.`,
    ),
  ];
}

async function layerSection({ layers, config }: RunReport): Promise<string[]> {
  const hue = hueOf(config.method);
  const rows = layers.flatMap(({ name, accumulator }) =>
    accumulator ? [{ name, colour: hue, norms: accumulator.norms, cap: accumulator.budget }] : [],
  );
  const histograms = layers.map(({ name, weights }) => ({ name, colour: hue, bars: weights }));
  return [
    heading('Layers'),
    layerTable(layers),
    ...(rows.length === 0
      ? []
      : [
          heading('What the weights ask of accumulators'),
          await figure(
            normsChart(rows),
            'l1 norm of every channel of every layer, beside its budget',
            'One dot is one output channel: the sum of |q| of its integer weights. A bar is the budget of a layer.',
          ),
        ]),
    heading('Weights'),
    await figure(
      histogramChart(histograms, rows.length > 0 ? 'integer weight q' : 'weight'),
      'Histogram of the weights of every layer',
      'Shares are drawn as their square roots, so that few weights are seen beside many zeros.',
    ),
  ];
}

const QUANTIZED_COLUMNS = ['layer', 'terms K', 'M × N', 'P', 'safe P', 'budget used', 'zeros'];
const FLOAT_COLUMNS = ['layer', 'terms K', 'channels', 'zeros'];

function layerTable(layers: readonly LayerFacts[]): string {
  const isQuantized = layers.some(({ accumulator }) => accumulator !== null);
  const rows = layers.map((layer) => {
    const [name, ...cells] = isQuantized ? quantizedCells(layer) : floatCells(layer);
    return `<tr><th scope="row">${name}</th>${cells.join('')}</tr>`;
  });
  const caption = isQuantized
    ? 'M × N: bits of weights and of inputs. Safe P: the narrowest accumulator that no input whatever can overflow. ' +
      'Budget used: ℓ₁ norm over its cap, mean of the channels and the largest.'
    : 'Terms K: length of one dot product.';
  return table(isQuantized ? QUANTIZED_COLUMNS : FLOAT_COLUMNS, [rows.join('')], caption);
}

const cell = (text: string | number, bad = false) => `<td${bad ? ' class="bad"' : ''}>${text}</td>`;

function floatCells({ name, length, channels, sparsity }: LayerFacts): string[] {
  return [escapeHtml(name), cell(length), cell(channels), meter(sparsity)];
}

function quantizedCells({ name, length, sparsity, accumulator }: LayerFacts): string[] {
  if (accumulator === null)
    return [escapeHtml(name), cell(length), ...[1, 2, 3, 4].map(() => cell('–')), meter(sparsity)];
  const { weightBits, inputBits, accumulatorBits, safeBits, budget, norms } = accumulator;
  const used = budget === null ? null : norms.map((norm) => norm / budget);
  const mean = used ? used.reduce((sum, share) => sum + share, 0) / used.length : 0;
  const most = used ? used.reduce((largest, share) => Math.max(largest, share), 0) : 0;
  return [
    escapeHtml(name),
    cell(length),
    cell(`${weightBits} × ${inputBits}`),
    cell(accumulatorBits ?? '–'),
    cell(safeBits, accumulatorBits !== null && safeBits > accumulatorBits),
    used ? meter(mean, `${percent(mean, 0)}, ${percent(most, 0)}`) : cell('–'),
    meter(sparsity),
  ];
}

/** A share as a number over a bar. */
function meter(share: number, text = percent(share)): string {
  return `<td class="meter" style="--share:${share.toFixed(4)}">${text}</td>`;
}

function footer({ run, folder, dataDir, checkpoint, backend, log }: RunReport): [term: string, html: string][] {
  const last = log.at(-1);
  const places = [`--out ${folder}`, ...(dataDir === null ? [] : [`--data-dir ${dataDir}`])];
  const flags = [...settingsAsFlags(run), ...places].join(' ');
  return [
    ['Settings', `<code>a2q train ${escapeHtml(flags)}</code>`],
    ...(last ? [['Trained on', escapeHtml(last.backend)] as [string, string]] : []),
    ['Measured', escapeHtml(`${checkpoint} on ${backend}, a2q.js ${VERSION}`)],
  ];
}
