import type { TopLevelSpec } from 'vega-lite';
import { colourOf, type Layout, MARGIN, METHOD_LABELS, MUTED, PAPER } from '../report/theme.js';
import type { DemoRow } from './rows.js';

/** Quantized methods, in the order they are shown. */
const SHOWN = ['qat', 'a2q', 'a2q+'] as const;

const DOMAIN = SHOWN.map((method) => METHOD_LABELS[method]);
const COLOUR_SCALE = { domain: DOMAIN, range: SHOWN.map(colourOf) };
const SHAPE_SCALE = { domain: DOMAIN, range: ['square', 'triangle-up', 'circle'] };

/**
 * Accuracy as accumulators get narrower from left to right, as the story is told: solid on the P-bit accumulator,
 * dashed as training sees it, floats as a line across.
 */
export function accuracyChart(rows: readonly DemoRow[], { width, columns }: Layout): TopLevelSpec {
  const plotWidth = width - MARGIN;
  const lowest = (width: number | null) =>
    Math.min(...rows.filter(({ accBits }) => accBits === width).map((row) => row.accumulatorAccuracy));
  const measured = rows
    .filter(({ accBits }) => accBits !== null)
    .map((row) => ({
      ...row,
      label: METHOD_LABELS[row.method],
      remark: remark(row),
      lowest: lowest(row.accBits),
    }));
  const float = rows.filter(({ method }) => method === 'float');
  const widths = measured.map(({ accBits }) => accBits as number);
  const [narrowest, widest] = [Math.min(...widths), Math.max(...widths)];
  const x = {
    field: 'accBits',
    type: 'quantitative' as const,
    title: 'accumulator width P (bits), narrower →',
    // Room at the right for the names of the methods.
    scale: { domain: [narrowest - (columns > 2 ? 0.35 : 0.75), widest + 0.3], nice: false, reverse: true },
    axis: { values: [...new Set(widths)], format: 'd' },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative' as const,
    title: 'accuracy on held-out images',
    scale: { domain: [0, 1] },
    axis: { format: '.0%', tickCount: 5 },
  });
  const color = { field: 'label', type: 'nominal' as const, scale: COLOUR_SCALE, legend: null };
  return {
    width: plotWidth,
    height: columns > 2 ? 340 : 300,
    data: { values: measured },
    layer: [
      {
        data: { values: float },
        mark: { type: 'rule', color: MUTED, strokeDash: [2, 3] },
        encoding: { y: y('accuracy') },
      },
      {
        data: { values: float },
        mark: { type: 'text', color: MUTED, align: 'right', baseline: 'bottom', dy: -6, text: 'float network' },
        encoding: { x: { value: plotWidth }, y: y('accuracy') },
      },
      { mark: { type: 'line', strokeDash: [6, 4], strokeWidth: 1.5 }, encoding: { x, y: y('accuracy'), color } },
      { mark: { type: 'line', strokeWidth: 3 }, encoding: { x, y: y('accumulatorAccuracy'), color } },
      {
        mark: { type: 'point', filled: true, size: 90, opacity: 1, stroke: PAPER, strokeWidth: 1.5 },
        encoding: {
          x,
          y: y('accumulatorAccuracy'),
          color,
          shape: { field: 'label', type: 'nominal' as const, scale: SHAPE_SCALE, legend: null },
        },
      },
      {
        transform: [{ filter: `datum.accBits === ${narrowest}` }],
        mark: { type: 'text', align: 'left', dx: 12, fontSize: 14, fontWeight: 'bold' },
        encoding: { x, y: y('labelAt'), text: { field: 'label' }, color },
        data: { values: spread(measured.filter(({ accBits }) => accBits === narrowest)) },
      },
      {
        transform: [{ filter: 'datum.remark !== ""' }],
        mark: { type: 'text', align: 'right', dx: -8, dy: 14, fontSize: 11, color: colourOf('qat') },
        encoding: { x, y: y('lowest'), text: { field: 'remark' } },
      },
    ],
  };
}

/** What is said below the points of a width at which a network overflows. */
function remark({ overflows }: DemoRow): string {
  return overflows === 0 ? '' : `${overflows.toLocaleString('en-US')} overflows`;
}

/** Least distance between two labels, as accuracy. */
const LABEL_GAP = 0.06;

/** Where labels go so that none covers another, as close to their points as that allows. */
function spread<Point extends { readonly accumulatorAccuracy: number }>(points: readonly Point[]) {
  const sorted = [...points].sort((a, b) => a.accumulatorAccuracy - b.accumulatorAccuracy);
  let floor = 0;
  return sorted.map((point) => {
    const labelAt = Math.max(point.accumulatorAccuracy, floor);
    floor = labelAt + LABEL_GAP;
    return { ...point, labelAt };
  });
}
