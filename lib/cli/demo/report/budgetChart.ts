import type { TopLevelSpec } from 'vega-lite';
import { METHOD_LABELS } from '../rows.js';
import type { DemoResults } from '../runDemo.js';
import { INK, METHOD_SCALE, PLOT_WIDTH } from './theme.js';

/** A channel with its norm, or the cap that the norms of a method must stay under. */
interface Mark {
  readonly kind: 'channel' | 'cap';
  /** The P it belongs to, as its panel is headed. */
  readonly panel: string;
  readonly label: string;
  /** ‖q‖₁, or T. */
  readonly norm: number;
  /** Place beside the others, −0.5 … 0.5. */
  readonly offset: number;
}

/** The fraction of the golden ratio: spreads any number of points evenly, without chance. */
const GOLDEN = 0.618034;

const TICKS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/** ‖q‖₁ of every hidden channel against the cap of its method, for every P, widest first. */
export function budgetChart(results: DemoResults): TopLevelSpec {
  const marks = marksOf(results);
  const top = 1.25 * Math.max(...marks.map(({ norm }) => norm));
  const x = {
    field: 'label',
    type: 'nominal' as const,
    scale: { domain: METHOD_SCALE.domain, paddingInner: 0.2, paddingOuter: 0.1 },
    title: null,
    axis: { labelAngle: 0, ticks: false, domain: false },
  };
  const y = {
    field: 'norm',
    type: 'quantitative' as const,
    title: 'ℓ₁ norm ‖q‖₁ of a channel',
    scale: { type: 'symlog' as const, constant: 1, domain: [0, top], nice: false },
    axis: { values: TICKS.filter((tick) => tick <= top) },
  };
  const color = { field: 'label', type: 'nominal' as const, scale: METHOD_SCALE, legend: null };
  const width = Math.floor(PLOT_WIDTH / results.plan.accumulatorBits.length) - 18;
  return {
    data: { values: marks },
    facet: { column: { field: 'panel', type: 'ordinal', sort: results.plan.accumulatorBits.map(panelOf) } },
    spacing: 18,
    spec: {
      width,
      height: 260,
      layer: [
        {
          transform: [{ filter: 'datum.kind === "channel"' }],
          mark: { type: 'circle', size: 14, opacity: 0.6 },
          encoding: {
            x,
            xOffset: { field: 'offset', type: 'quantitative' as const, scale: { domain: [-0.6, 0.6] } },
            y,
            color,
          },
        },
        {
          transform: [{ filter: 'datum.kind === "cap"' }],
          mark: { type: 'tick', thickness: 2, size: width / 3.2, color: INK },
          encoding: { x, y },
        },
        {
          transform: [{ filter: 'datum.kind === "cap"' }],
          mark: { type: 'text', dy: -9, fontSize: 11 },
          encoding: { x, y, text: { field: 'norm', type: 'quantitative', format: '.1f' } },
        },
      ],
    },
  };
}

function marksOf({ plan, networks }: DemoResults): Mark[] {
  return plan.accumulatorBits.flatMap((accBits) =>
    networks
      .filter(({ accumulatorBits }) => accumulatorBits === null || accumulatorBits === accBits)
      .flatMap(({ method, layers }) => {
        const label = METHOD_LABELS[method];
        const panel = panelOf(accBits);
        const channels = layers
          .flatMap(({ norms }) => norms)
          .map((norm, i): Mark => ({ kind: 'channel', panel, label, norm, offset: ((i * GOLDEN) % 1) - 0.5 }));
        const [{ budget }] = layers;
        return budget === null ? channels : [...channels, { kind: 'cap', panel, label, norm: budget, offset: 0 }];
      }),
  );
}

function panelOf(accBits: number): string {
  return `P = ${accBits}`;
}
