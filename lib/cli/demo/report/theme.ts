import type { Config } from 'vega-lite';
import type { Method } from '../../../quant/methods.js';
import { METHOD_LABELS } from '../rows.js';

/** Colours are custom properties, so one drawing serves light, dark and paper. Hues after Okabe and Ito (2008). */
export const INK = 'var(--ink)';
export const MUTED = 'var(--muted)';
export const GRID = 'var(--grid)';
export const PAPER = 'var(--paper)';

const COLOURS: Readonly<Partial<Record<Method, string>>> = {
  qat: 'var(--qat)',
  a2q: 'var(--a2q)',
  'a2q+': 'var(--a2q-plus)',
};

export function colourOf(method: Method): string {
  return COLOURS[method] ?? MUTED;
}

/** Quantized methods, in the order they are shown. */
export const SHOWN = ['qat', 'a2q', 'a2q+'] as const;

/** The scale that gives methods, by their label, their colours. */
export const METHOD_SCALE = {
  domain: SHOWN.map((method) => METHOD_LABELS[method]),
  range: SHOWN.map(colourOf),
};

/** The same for the shapes of points. */
export const SHAPE_SCALE = { domain: METHOD_SCALE.domain, range: ['square', 'triangle-up', 'circle'] };

/** Width of a drawing's plot in pixels; the page shrinks drawings where it is narrower. */
export const PLOT_WIDTH = 680;

export const CONFIG: Config = {
  background: 'transparent',
  font: 'sans-serif',
  padding: 4,
  view: { stroke: null },
  axis: {
    domainColor: MUTED,
    tickColor: MUTED,
    gridColor: GRID,
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 10,
  },
  axisX: { grid: false },
  axisY: { domain: false, ticks: false, labelPadding: 6 },
  header: { labelColor: INK, labelFontSize: 13, labelFontWeight: 'bold', title: null },
  text: { color: INK, fontSize: 12 },
};
