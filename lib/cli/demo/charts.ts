import { percent } from '../output.js';
import type { Curve } from '../report/curvesChart.js';
import type { Histogram } from '../report/histogramChart.js';
import type { Norms } from '../report/normsChart.js';
import { colourOf, METHOD_LABELS } from '../report/theme.js';
import type { QuantizedNetwork } from './quantizedNetwork.js';
import type { DemoResults } from './runDemo.js';

/** What the common charts show of a demo. */

/** The networks trained for the narrowest P, and QAT, which knows no P. */
export function narrowestNetworks({ plan, networks }: DemoResults): QuantizedNetwork[] {
  const narrowest = Math.min(...plan.accumulatorBits);
  return networks.filter(({ accumulatorBits }) => accumulatorBits === null || accumulatorBits === narrowest);
}

/** ‖q‖₁ of every hidden channel for every P, widest first. */
export function normRows({ plan, networks }: DemoResults): Norms[] {
  return plan.accumulatorBits.flatMap((accBits) =>
    networks
      .filter(({ accumulatorBits }) => accumulatorBits === null || accumulatorBits === accBits)
      .map(({ method, layers }) => ({
        panel: `P = ${accBits}`,
        name: METHOD_LABELS[method],
        colour: colourOf(method),
        norms: layers.flatMap(({ norms }) => norms),
        cap: layers[0].budget,
      })),
  );
}

/** Shares of the integers among the hidden weights at the narrowest P, after training and before. */
export function weightHistograms(results: DemoResults): Histogram[] {
  return narrowestNetworks(results).map(({ method, sparsity, weightsBefore, weightsAfter }) => {
    const total = weightsAfter.reduce((sum, count) => sum + count, 0);
    const largest = (weightsAfter.length - 1) / 2;
    return {
      name: `${METHOD_LABELS[method]}: ${percent(sparsity)} zeros`,
      colour: colourOf(method),
      bars: weightsAfter.map((count, i) => ({
        from: i - largest - 0.5,
        to: i - largest + 0.5,
        share: count / total,
        before: weightsBefore[i] / total,
      })),
    };
  });
}

/** Loss of every network along its training; fine-tuning beside the float network it started from. */
export function lossCurves({ float, networks }: DemoResults): Curve[] {
  return [
    { panel: METHOD_LABELS.float, colour: colourOf('float'), name: '', points: smooth(float.losses) },
    ...networks.map(({ method, accumulatorBits, losses }) => ({
      panel: METHOD_LABELS[method],
      colour: colourOf(method),
      name: accumulatorBits === null ? '' : `P = ${accumulatorBits}`,
      points: smooth(losses),
    })),
  ];
}

/** Points a curve is drawn with. */
const POINTS = 50;

/** Geometric means of equal stretches of a curve, at their middles. */
function smooth(losses: readonly number[]): { x: number; y: number }[] {
  const count = Math.min(POINTS, losses.length);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((end) => Math.round((end * losses.length) / count));
    const stretch = losses.slice(from, to);
    const mean = stretch.reduce((sum, loss) => sum + Math.log(Math.max(loss, 1e-6)), 0) / stretch.length;
    return { x: (from + to) / 2, y: Math.exp(mean) };
  });
}
