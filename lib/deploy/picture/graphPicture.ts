import { asOptions } from '../../tensor/argument.js';
import { asGraph } from '../graph/argument.js';
import type { IntegerGraph } from '../graph/graph.js';
import { type LayerFacts, type NodeFacts, nodeFacts } from './nodeFacts.js';
import { type Arc, arcsOf } from './rails.js';

/** How a picture is drawn. */
export interface PictureOptions {
  /** In one line a node, 740 pixels wide, or in two, 340 wide, as for phones. Default false. */
  readonly narrow?: boolean;
}

/** Colours are custom properties of the page, with a light one for a picture on its own. */
const INK = 'var(--ink, #1f2328)';
const MUTED = 'var(--muted, #656b73)';
const GRID = 'var(--grid, #e4e4de)';
const GOOD = 'var(--a2q-plus, #00805c)';
const BAD = 'var(--bad, #b02a1c)';
const PAPER = 'var(--paper, #fdfdfb)';

const LANE = 11;
/** Most lanes that are drawn apart; further ones share the last. */
const MOST_LANES = 6;

interface Row {
  readonly facts: NodeFacts;
  /** Of its middle. */
  readonly y: number;
}

/**
 * A network as a picture: one row a node, from the input down, with the ways that values take at the left (residual
 * connections beside the rows that they pass), and what is known of each layer: shape, M, N, P, the smallest safe P,
 * the share of the budget that is used, zeros, thresholds.
 * @returns SVG
 * @throws DataError if the graph is none
 */
export async function graphPicture(graph: IntegerGraph, options: PictureOptions = {}): Promise<string> {
  asGraph('graphPicture', graph);
  const { narrow = false } = asOptions('graphPicture', options);
  return drawFacts(graph.name, await nodeFacts(graph), narrow);
}

/** Draws what is known of the nodes. */
export function drawFacts(title: string, nodes: readonly NodeFacts[], narrow: boolean): string {
  const arcs = arcsOf(nodes.map(({ inputs }) => inputs));
  const lanes = Math.min(
    MOST_LANES,
    arcs.reduce((most, { lane }) => Math.max(most, lane + 1), 0),
  );
  const rail = 10 + lanes * LANE;
  const head = narrow ? 8 : 34;
  let y = head;
  const rows = nodes.map((facts): Row => {
    const height = heightOf(facts, narrow);
    y += height;
    return { facts, y: y - height / 2 };
  });
  const [width, height] = [narrow ? 340 : 740, y + 10];
  const bows = arcs.map((arc) => bow(arc, rows, rail)).join('');
  const label = `The network ${title}: ${nodes.length - 1} nodes from its input to its output`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` role="img" aria-label="${escapeXml(label)}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    narrow ? '' : heads(rail),
    `<g fill="none" stroke="${MUTED}" stroke-width="1.4">${straight(rows, rail)}${bows}</g>`,
    rows.map((row) => (narrow ? narrowRow(row, rail) : wideRow(row, rail))).join('\n'),
    '</svg>',
  ].join('');
}

function heightOf({ layer, grid, op }: NodeFacts, narrow: boolean): number {
  if (narrow) return layer ? 56 : grid ? 22 : 38;
  return layer || op === 'add' || op === 'input' ? 26 : 20;
}

/** Edges to the next row. */
function straight(rows: readonly Row[], rail: number): string {
  return rows
    .map(({ facts, y }, i) => (facts.inputs.includes(i - 1) ? `<path d="M${rail} ${rows[i - 1].y}V${y}"/>` : ''))
    .join('');
}

/** An edge beside the rows that it passes. */
function bow({ from, to, lane }: Arc, rows: readonly Row[], rail: number): string {
  const x = rail - (Math.min(lane, MOST_LANES - 1) + 1) * LANE;
  const [start, end] = [rows[from].y, rows[to].y];
  const bend = Math.min(10, (end - start) / 2);
  return `<path d="M${rail} ${start}Q${x} ${start} ${x} ${start + bend}V${end - bend}Q${x} ${end} ${rail} ${end}"/>`;
}

/** Where the columns of a wide picture end (numbers) or begin (words). */
const COLUMNS = { shape: 402, weights: 440, inputs: 478, claimed: 516, safe: 560, bar: 574, zeros: 736 } as const;
const BAR = 74;

function heads(rail: number): string {
  const columns = [
    text(rail + 14, 18, 'layer', MUTED),
    text(COLUMNS.shape, 18, 'output', MUTED, 'end'),
    text(COLUMNS.weights, 18, 'M', MUTED, 'end'),
    text(COLUMNS.inputs, 18, 'N', MUTED, 'end'),
    text(COLUMNS.claimed, 18, 'P', MUTED, 'end'),
    text(COLUMNS.safe, 18, 'safe P', MUTED, 'end'),
    text(COLUMNS.bar, 18, 'budget used', MUTED),
    text(COLUMNS.zeros, 18, 'zeros', MUTED, 'end'),
  ];
  return `${columns.join('')}<path d="M${rail + 14} 26H${COLUMNS.zeros}" stroke="${INK}"/>`;
}

function wideRow({ facts, y }: Row, rail: number): string {
  const { name, label, shape, layer, grid } = facts;
  const base = y + 4;
  const left = rail + 14;
  const room = COLUMNS.shape - 78 - left;
  if (grid) {
    const what = `${gridText(facts)}`;
    return `${mark(facts, rail, y)}${text(left, base, cut(what, room, 6), MUTED, 'start', name)}`;
  }
  const named = `${tspan(cut(name, room - 6.2 * label.length - 8, 7), true)} ${tspan(label, false)}`;
  const parts = [
    mark(facts, rail, y),
    `<text x="${left}" y="${base}">${title(name)}${named}</text>`,
    text(COLUMNS.shape, base, shape.join('×'), INK, 'end'),
  ];
  if (layer) {
    const { weightBits, inputs, accumulatorBits, safeBits, zeros } = layer;
    parts.push(
      text(COLUMNS.weights, base, `${weightBits}`, INK, 'end'),
      text(COLUMNS.inputs, base, inputs, INK, 'end'),
      text(COLUMNS.claimed, base, accumulatorBits === null ? '–' : `${accumulatorBits}`, toneOf(layer), 'end'),
      text(COLUMNS.safe, base, `${safeBits}`, INK, 'end'),
      bar(layer, COLUMNS.bar, y, BAR),
      text(COLUMNS.zeros, base, percent(zeros), INK, 'end'),
    );
  }
  return parts.join('');
}

function narrowRow({ facts, y }: Row, rail: number): string {
  const { name, label, shape, layer, grid } = facts;
  const left = rail + 14;
  const room = 336 - left;
  if (grid) return `${mark(facts, rail, y)}${text(left, y + 4, cut(gridText(facts), room, 6), MUTED, 'start', name)}`;
  const top = y - (layer ? 14 : 5);
  const what = `${label} → ${shape.join('×')}`;
  const parts = [
    mark(facts, rail, y),
    `<text x="${left}" y="${top + 4}" font-weight="600">${title(name)}${escapeXml(cut(name, room, 7))}</text>`,
    text(left, top + 19, cut(what, room, 6), INK),
  ];
  if (layer) {
    const { weightBits, inputs, accumulatorBits, safeBits, zeros } = layer;
    const claimed = accumulatorBits === null ? '' : `P ${accumulatorBits} · `;
    const line = `M ${weightBits} · N ${inputs} · ${claimed}safe P ${safeBits} · zeros ${percent(zeros)}`;
    parts.push(text(left, top + 33, line, toneOf(layer)), bar(layer, 262, top, 36));
  }
  return parts.join('');
}

/** What a node is, at a glance: squares sum products, rings add values, dots requantize. */
function mark({ op, layer }: NodeFacts, x: number, y: number): string {
  if (layer) return `<rect x="${x - 5}" y="${y - 5}" width="10" height="10" rx="2" fill="${toneOf(layer)}"/>`;
  if (op === 'add' || op === 'concat') {
    const cross =
      op === 'add'
        ? `M${x - 3.5} ${y}H${x + 3.5}M${x} ${y - 3.5}V${y + 3.5}`
        : `M${x - 2} ${y - 3}V${y + 3}M${x + 2} ${y - 3}V${y + 3}`;
    const ring = `<circle cx="${x}" cy="${y}" r="6"/>`;
    return `<g fill="${PAPER}" stroke="${INK}" stroke-width="1.4">${ring}<path d="${cross}"/></g>`;
  }
  if (op === 'requantize') return `<circle cx="${x}" cy="${y}" r="3" fill="${MUTED}"/>`;
  return `<circle cx="${x}" cy="${y}" r="4.5" fill="${PAPER}" stroke="${INK}" stroke-width="1.4"/>`;
}

/** Green where the claim holds, red where it does not, plain without one. */
function toneOf({ accumulatorBits, safeBits }: LayerFacts): string {
  if (accumulatorBits === null) return INK;
  return safeBits <= accumulatorBits ? GOOD : BAD;
}

function bar(layer: LayerFacts, x: number, y: number, width: number): string {
  const share = Math.min(1, layer.used);
  const tone = layer.accumulatorBits === null ? MUTED : toneOf(layer);
  return (
    `<rect x="${x}" y="${y - 3}" width="${width}" height="6" rx="2" fill="${GRID}"/>` +
    `<rect x="${x}" y="${y - 3}" width="${(share * width).toFixed(1)}" height="6" rx="2" fill="${tone}"/>` +
    text(x + width + 38, y + 4, percent(layer.used), INK, 'end')
  );
}

function gridText({ grid, label }: NodeFacts): string {
  if (!grid) return label;
  const { integers, thresholds, rows, error } = grid;
  const channels = rows > 1 ? ` × ${rows} channels` : '';
  if (thresholds === null) return `→ ${integers}: multiply, shift${channels}, at most ${error} off`;
  return `→ ${integers}: ${thresholds} thresholds${channels}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function text(x: number, y: number, words: string, fill: string, anchor = 'start', tip?: string): string {
  const hint = tip === undefined ? '' : title(tip);
  return `<text x="${x}" y="${y}" fill="${fill}" text-anchor="${anchor}">${hint}${escapeXml(words)}</text>`;
}

function tspan(words: string, strong: boolean): string {
  return `<tspan ${strong ? 'font-weight="600"' : `fill="${MUTED}"`}>${escapeXml(words)}</tspan>`;
}

const title = (words: string) => `<title>${escapeXml(words)}</title>`;

/** Words that fit into a width, of letters about so wide. */
function cut(words: string, room: number, letter: number): string {
  const most = Math.max(4, Math.floor(room / letter));
  return words.length <= most ? words : `…${words.slice(words.length - most + 1)}`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeXml(words: string): string {
  // What XML cannot hold is left out.
  return words.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '').replace(/[&<>"]/g, (each) => ENTITIES[each]);
}
