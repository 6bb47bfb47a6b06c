import type { TopLevelSpec } from 'vega-lite';
import { percent } from '../../output.js';
import type { QuantizedNetwork } from '../quantizedNetwork.js';
import { METHOD_LABELS } from '../rows.js';
import type { DemoResults } from '../runDemo.js';
import { INK, METHOD_SCALE, PLOT_WIDTH } from './theme.js';

/** The networks a chart for the narrowest P shows: QAT, which knows no P, and those trained for it. */
export function narrowestNetworks({ plan, networks }: DemoResults): QuantizedNetwork[] {
  const narrowest = Math.min(...plan.accumulatorBits);
  return networks.filter(({ accumulatorBits }) => accumulatorBits === null || accumulatorBits === narrowest);
}

/** Shares of the integers among the hidden weights at the narrowest P: bars after training, a line before. */
export function weightsChart(results: DemoResults): TopLevelSpec {
  const networks = narrowestNetworks(results);
  const bars = networks.flatMap((network) => {
    const { method, sparsity, weightsBefore, weightsAfter } = network;
    const total = weightsAfter.reduce((sum, count) => sum + count, 0);
    const largest = (weightsAfter.length - 1) / 2;
    return weightsAfter.map((count, i) => ({
      label: METHOD_LABELS[method],
      panel: `${METHOD_LABELS[method]}: ${percent(sparsity)} zeros`,
      q: i - largest,
      after: count / total,
      before: weightsBefore[i] / total,
    }));
  });
  const ticks = bars.filter(({ label }) => label === bars[0].label).map(({ q }) => q);
  const x = {
    field: 'q',
    type: 'ordinal' as const,
    title: 'integer weight q',
    scale: { paddingInner: 0.15 },
    axis: { labelAngle: 0, values: ticks.filter((q) => q % 2 !== 0 || q === 0), ticks: false },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative' as const,
    title: 'share of weights (√ scale)',
    scale: { type: 'sqrt' as const, domain: [0, 1] },
    axis: { values: [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1], format: '.0%' },
  });
  return {
    data: { values: bars },
    facet: { column: { field: 'panel', type: 'ordinal', sort: [...new Set(bars.map(({ panel }) => panel))] } },
    spacing: 24,
    spec: {
      width: Math.floor(PLOT_WIDTH / networks.length) - 24,
      height: 260,
      layer: [
        {
          mark: { type: 'bar' },
          encoding: {
            x,
            y: y('after'),
            color: { field: 'label', type: 'nominal' as const, scale: METHOD_SCALE, legend: null },
          },
        },
        { mark: { type: 'tick', thickness: 2, color: INK }, encoding: { x, y: y('before') } },
      ],
    },
  };
}
