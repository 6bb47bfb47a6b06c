import type { TopLevelSpec } from 'vega-lite';
import { largest } from '../../tensor/extremes.js';
import { INK, type Layout } from './theme.js';

/** The channels of a layer, or of a network: one dot each, and the cap that they must stay under. */
export interface Norms {
  readonly name: string;
  readonly colour: string;
  /** ‖q‖₁ of each channel, in integer steps. */
  readonly norms: readonly number[];
  /** T; null if there is none. */
  readonly cap: number | null;
  /** Above the panel that it is drawn in; the only one, if left out. */
  readonly panel?: string;
}

/** The fraction of the golden ratio: spreads any number of points evenly, without chance. */
const GOLDEN = 0.618034;

const TICKS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000];
const NARROW_TICKS = [0, 1, 5, 20, 100, 500, 2000, 10_000, 50_000, 500_000];

/** ‖q‖₁ of every channel beside its cap, a line for each of `rows`. */
export function normsChart(rows: readonly Norms[]): (layout: Layout) => TopLevelSpec {
  const marks = rows.flatMap(({ norms, cap, panel = '', name, colour }) => [
    ...norms.map((norm, i) => ({ kind: 'channel', panel, name, colour, norm, offset: ((i * GOLDEN) % 1) - 0.5 })),
    ...(cap === null ? [] : [{ kind: 'cap', panel, name, colour, norm: cap, offset: 0 }]),
  ]);
  const top = 1.6 * marks.reduce((most, { norm }) => Math.max(most, norm), 1);
  const names = [...new Set(rows.map(({ name }) => name))];
  const panels = [...new Set(rows.map(({ panel = '' }) => panel))];
  const rowAxis = {
    field: 'name',
    type: 'nominal' as const,
    scale: { domain: names, paddingInner: 0.25, paddingOuter: 0.15 },
    title: null,
  };
  const yOffset = { field: 'offset', type: 'quantitative' as const, scale: { domain: [-0.6, 0.6] } };
  const color = { field: 'colour', type: 'nominal' as const, scale: null };
  const longest = largest(names.map(({ length }) => length));
  return ({ width, columns }) => {
    // What letters are taken to be wide where there is no canvas, 0.8 of their height; longer names are cut off.
    const labelLimit = 4 + 9.6 * Math.min(columns > 2 ? 34 : 15, longest);
    const margin = 16 + labelLimit;
    const y = { ...rowAxis, axis: { labelLimit, grid: false } };
    const x = {
      field: 'norm',
      type: 'quantitative' as const,
      title: 'ℓ₁ norm ‖q‖₁ of a channel',
      scale: { type: 'symlog' as const, constant: 1, domain: [0, top], nice: false },
      axis: { values: (columns > 2 ? TICKS : NARROW_TICKS).filter((tick) => tick <= top), format: ',d', grid: true },
    };
    const spec = {
      width: width - margin,
      height: { step: 30 },
      layer: [
        {
          transform: [{ filter: 'datum.kind === "channel"' }],
          mark: { type: 'circle' as const, size: 14, opacity: 0.6 },
          encoding: { x, y, yOffset, color },
        },
        {
          transform: [{ filter: 'datum.kind === "cap"' }],
          mark: { type: 'tick' as const, thickness: 2, size: 24, color: INK },
          encoding: { x, y },
        },
        {
          transform: [{ filter: 'datum.kind === "cap"' }],
          mark: { type: 'text' as const, align: 'left' as const, dx: 5, fontSize: 11 },
          encoding: { x, y, text: { field: 'norm', type: 'quantitative' as const, format: '.1f' } },
        },
      ],
    };
    const data = { values: marks };
    if (panels.length === 1) return { data, ...spec };
    const header = { orient: 'top' as const, labelAnchor: 'start' as const, labelAngle: 0, labelPadding: 4 };
    return { data, facet: { row: { field: 'panel', type: 'ordinal', sort: panels, header } }, spacing: 12, spec };
  };
}
