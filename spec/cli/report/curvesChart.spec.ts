import t from 'tap';
import { curvesChart } from '../../../lib/cli/report/curvesChart.js';
import { WIDE } from '../../../lib/cli/report/theme.js';

interface YAxis {
  readonly scale: { readonly domain: readonly [number, number] };
  readonly axis: { readonly values: readonly number[] };
}

/** The vertical axis of a chart of one curve. */
function yAxisOf(values: readonly number[], options: { readonly log?: boolean; readonly most?: number }): YAxis {
  const points = values.map((y, x) => ({ x, y }));
  const chart = curvesChart([{ name: 'a', colour: 'red', points }], { x: 'x', y: 'y', ...options })(WIDE);
  const [{ encoding }] = (chart as unknown as { layer: { encoding: { y: YAxis } }[] }).layer;
  return encoding.y;
}

t.test('an axis ends where there can be no more', async (t) => {
  t.equal(yAxisOf([0.5, 1], { most: 1 }).scale.domain[1], 1);
  t.ok(yAxisOf([0.5, 0.9], {}).scale.domain[1] > 0.9);
});

t.test('a logarithmic axis has ticks up to the height of its curves, however narrow', async (t) => {
  for (const values of [
    [1.1, 0.66],
    [2.3, 0.02],
    [0.0123, 0.0121],
    [900, 1],
    [7.9, 0.9],
    [1e-9, 3e-9],
  ]) {
    const { scale, axis } = yAxisOf(values, { log: true });
    const [low, high] = scale.domain;
    t.ok(axis.values.length >= 4, String(values));
    t.ok(axis.values.every((tick) => tick >= low && tick <= high));
    t.ok(Math.max(...axis.values) >= Math.max(...values) / 1.25, String(axis.values));
  }
});
