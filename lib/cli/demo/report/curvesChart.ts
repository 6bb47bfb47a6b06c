import type { TopLevelSpec } from 'vega-lite';
import { METHOD_LABELS } from '../rows.js';
import type { DemoResults } from '../runDemo.js';
import { colourOf, PLOT_WIDTH } from './theme.js';

/** Points a curve is drawn with. */
const POINTS = 50;

/** Loss of every network along its training; fine-tuning beside the float network it started from. */
export function curvesChart({ plan, float, networks }: DemoResults): TopLevelSpec {
  const curves = [
    { panel: METHOD_LABELS.float, colour: colourOf('float'), name: '', losses: float.losses, rank: 0 },
    ...networks.map(({ method, accumulatorBits, losses }) => ({
      panel: METHOD_LABELS[method],
      colour: colourOf(method),
      name: accumulatorBits === null ? '' : `P = ${accumulatorBits}`,
      losses,
      rank: accumulatorBits === null ? 0 : plan.accumulatorBits.indexOf(accumulatorBits),
    })),
  ];
  const points = curves.flatMap(({ losses, ...curve }) => smooth(losses).map((point) => ({ ...curve, ...point })));
  const panels = [...new Set(curves.map(({ panel }) => panel))];
  const last = new Map<string, (typeof points)[number]>();
  for (const point of points) last.set(`${point.panel} ${point.name}`, point);
  const ends = new Set(last.values());
  const heights = points.map(({ loss }) => loss);
  const steps = Math.max(...points.map(({ step }) => step));
  const x = {
    field: 'step',
    type: 'quantitative' as const,
    title: 'training step',
    scale: { domain: [0, steps * 1.3], nice: false },
    axis: { values: [0, 400, 800, 1200].filter((tick) => tick <= steps), format: 'd' },
  };
  const y = {
    field: 'loss',
    type: 'quantitative' as const,
    title: 'cross-entropy (nats)',
    scale: { type: 'log' as const, domain: [0.8 * Math.min(...heights), 1.2 * Math.max(...heights)], nice: false },
    axis: { values: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2], format: '~g' },
  };
  const color = { field: 'colour', type: 'nominal' as const, scale: null };
  return {
    data: { values: points.map((point) => ({ ...point, isEnd: ends.has(point) })) },
    facet: { column: { field: 'panel', type: 'ordinal', sort: panels } },
    spacing: 18,
    spec: {
      width: Math.floor(PLOT_WIDTH / panels.length) - 18,
      height: 240,
      layer: [
        {
          mark: { type: 'line', strokeWidth: 1.75 },
          encoding: { x, y, color, detail: { field: 'name', type: 'nominal' as const } },
        },
        {
          transform: [{ filter: 'datum.isEnd && datum.name !== ""' }],
          mark: { type: 'text', align: 'left', dx: 4, fontSize: 11 },
          encoding: { x, y, color, text: { field: 'name' } },
        },
      ],
    },
  };
}

/** Geometric means of equal stretches of a curve, at their middles. */
function smooth(losses: readonly number[]): { step: number; loss: number }[] {
  const count = Math.min(POINTS, losses.length);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((end) => Math.round((end * losses.length) / count));
    const stretch = losses.slice(from, to);
    const mean = stretch.reduce((sum, loss) => sum + Math.log(Math.max(loss, 1e-6)), 0) / stretch.length;
    return { step: (from + to) / 2, loss: Math.exp(mean) };
  });
}
