import type { Config } from 'vega-lite';
import { METHOD_NAMES, METHODS, type Method } from '../../quant/methods.js';

/** Colours are custom properties, so one drawing serves light, dark and paper. Hues after Okabe and Ito (2008). */
export const INK = 'var(--ink)';
export const MUTED = 'var(--muted)';
export const GRID = 'var(--grid)';
export const PAPER = 'var(--paper)';
export const BAND = 'var(--band)';
export const BAD = 'var(--bad)';

const COLOURS: Readonly<Partial<Record<Method, string>>> = {
  qat: 'var(--qat)',
  a2q: 'var(--a2q)',
  'a2q+': 'var(--a2q-plus)',
};

export function colourOf(method: Method): string {
  return COLOURS[method] ?? MUTED;
}

/** How methods are written. */
export const METHOD_LABELS = Object.fromEntries(
  METHOD_NAMES.map((method) => [method, METHODS[method].label]),
) as Readonly<Record<Method, string>>;

/** Room for a drawing: every chart is drawn once for screens and paper, and once for phones. */
export interface Layout {
  /** Width of a drawing, pixels. */
  readonly width: number;
  /** Most panels side by side. */
  readonly columns: number;
}

export const WIDE: Layout = { width: 740, columns: 4 };
export const NARROW: Layout = { width: 340, columns: 2 };

/** What axis labels and titles at the left of a plot take, pixels. */
export const MARGIN = 62;

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
    titlePadding: 8,
  },
  axisX: { grid: false },
  axisY: { domain: false, ticks: false, labelPadding: 6 },
  header: { labelColor: INK, labelFontSize: 13, labelFontWeight: 'bold', title: null },
  text: { color: INK, fontSize: 12 },
};
