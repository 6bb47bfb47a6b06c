import type { TopLevelSpec } from 'vega-lite';
import { BAD, BAND, type Layout, MARGIN, MUTED } from './theme.js';

/** The partial sums of a layer, by sign and by the bits that they need. */
export interface Sums {
  /** Written above it; unlike all others. */
  readonly name: string;
  readonly colour: string;
  readonly bars: readonly SumShare[];
  /** What the weights allow at all. */
  readonly low: number;
  readonly high: number;
  /** P of the register whose limits are drawn. */
  readonly bits: number;
}

/** The integers that need `bits` bits, of one sign, and their part of all sums, 0 … 1. */
export interface SumShare {
  readonly bits: number;
  readonly negative: boolean;
  readonly share: number;
}

/** Where an integer stands on an axis of bits: ±b is the end of b bits of two's complement. */
export function placeOf(value: number): number {
  return value < 0 ? -(1 + Math.log2(-value)) : 1 + Math.log2(value + 1);
}

/** Free space beside a bar, of its width 1. */
const GAP = 0.1;

/** Histograms side by side on one axis of bits, with what is certified behind them and the register's ends as lines. */
export function sumsChart(layers: readonly Sums[]): (layout: Layout) => TopLevelSpec {
  const widest = Math.max(...layers.flatMap(({ low, high, bits }) => [-placeOf(low), placeOf(high), bits])) + 1;
  const values = layers.flatMap(({ name, colour, bars, low, high, bits }) => [
    { name, part: 'range', from: placeOf(low), to: placeOf(high) },
    ...[-bits, bits].map((from) => ({ name, part: 'limit', from })),
    ...bars.map((bar) => {
      const [from, to] = bar.negative ? [-bar.bits, 1 - bar.bits] : [bar.bits - 1, bar.bits];
      return { name, part: 'bar', colour, from: from + GAP / 2, to: to - GAP / 2, share: bar.share };
    }),
  ]);
  const x = {
    field: 'from',
    type: 'quantitative' as const,
    title: 'bits of a sum',
    scale: { domain: [-widest, widest], nice: false },
    axis: { values: ticks(widest), labelExpr: 'abs(datum.value)', domain: false },
  };
  const y = {
    field: 'share',
    type: 'quantitative' as const,
    title: 'share of sums (√ scale)',
    scale: { type: 'sqrt' as const },
    axis: { format: '~p', tickCount: 5 },
  };
  const x2 = { field: 'to' };
  const color = { field: 'colour', type: 'nominal' as const, scale: null };
  const part = (name: string) => [{ filter: `datum.part === "${name}"` }];
  return ({ width, columns }) => {
    const across = Math.min(layers.length, Math.max(1, columns - 1));
    const gap = 18;
    return {
      data: { values },
      facet: { field: 'name', type: 'ordinal', sort: layers.map(({ name }) => name) },
      columns: across,
      spacing: { column: gap, row: 24 },
      spec: {
        width: Math.floor((width - MARGIN - gap * (across - 1)) / across),
        height: 130,
        layer: [
          { transform: part('range'), mark: { type: 'rect', color: BAND }, encoding: { x, x2 } },
          {
            transform: part('bar'),
            mark: { type: 'rect' },
            encoding: { x, x2, y, y2: { datum: 0 }, color },
          },
          {
            transform: part('limit'),
            mark: { type: 'rule', color: BAD, strokeWidth: 1.5 },
            encoding: { x },
          },
          { transform: part('range'), mark: { type: 'rule', color: MUTED, strokeDash: [3, 3] }, encoding: { x } },
          {
            transform: part('range'),
            mark: { type: 'rule', color: MUTED, strokeDash: [3, 3] },
            encoding: { x: { ...x, field: 'to' } },
          },
        ],
      },
    };
  };
}

function ticks(widest: number): number[] {
  const step = widest > 12 ? 8 : 4;
  const most = Math.floor(widest / step) * step;
  return Array.from({ length: (2 * most) / step + 1 }, (_, i) => i * step - most);
}
