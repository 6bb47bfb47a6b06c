import type { TopLevelSpec } from 'vega-lite';
import { INK, type Layout, MARGIN } from './theme.js';

/** Shares of values, a bar for each range of them. */
export interface Histogram {
  /** Written above it; unlike all others. */
  readonly name: string;
  readonly colour: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly from: number;
  readonly to: number;
  /** Part of all values, 0 … 1. */
  readonly share: number;
  /** The same at an earlier time, drawn as a mark. */
  readonly before?: number;
}

/** Share of a bar's width that is left free beside it. */
const GAP = 0.15;

/** Histograms side by side, each with a scale of its own along x. */
export function histogramChart(histograms: readonly Histogram[], xTitle: string): (layout: Layout) => TopLevelSpec {
  const values = histograms.flatMap(({ bars, ...each }) =>
    bars.map(({ from, to, ...bar }) => {
      const gap = (GAP / 2) * (to - from);
      return { ...each, ...bar, from: from + gap, to: to - gap };
    }),
  );
  const x = {
    field: 'from',
    type: 'quantitative' as const,
    title: xTitle,
    scale: { nice: false, zero: false },
    axis: { tickCount: 4, domain: false },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative' as const,
    title: 'share of weights (√ scale)',
    scale: { type: 'sqrt' as const, domain: [0, 1] },
    axis: { values: [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1], format: '.0%' },
  });
  const x2 = { field: 'to' };
  const color = { field: 'colour', type: 'nominal' as const, scale: null };
  return ({ width, columns }) => {
    const across = Math.min(histograms.length, columns);
    const gap = 16;
    return {
      data: { values },
      facet: { field: 'name', type: 'ordinal', sort: histograms.map(({ name }) => name) },
      columns: across,
      spacing: { column: gap, row: 24 },
      resolve: { scale: { x: 'independent' } },
      spec: {
        width: Math.floor((width - MARGIN - gap * (across - 1)) / across),
        height: 150,
        layer: [
          { mark: { type: 'rect' }, encoding: { x, x2, y: y('share'), y2: { datum: 0 }, color } },
          {
            transform: [{ filter: 'isValid(datum.before)' }],
            mark: { type: 'rule', strokeWidth: 2, color: INK },
            encoding: { x, x2, y: y('before') },
          },
        ],
      },
    };
  };
}
