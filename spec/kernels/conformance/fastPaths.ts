import type { Test } from 'tap';
import type { Row } from '../../../lib/autograd/row.js';
import { table } from '../../../lib/autograd/table.js';
import type { FastRows, FastSteps } from '../../../lib/kernels/fast.js';
import { a2qRows } from '../../../lib/quant/a2qWeights.js';
import type { View } from '../../../lib/tensor/view.js';
import { a2qSamples, type Sample, samples } from '../../autograd/samples/index.js';
import { numbers } from '../../autograd/support.js';
import type { NumberArray } from '../../oracle.js';
import { type Comparison, ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import { composedGradient, composedValue, ownGradient, ownValue, type Wanted } from './rows.js';
import type { Subject } from './subject.js';

const ROWS = { ...table, ...a2qRows } as unknown as Readonly<Record<string, Row<unknown>>>;
const SAMPLES: Readonly<Record<string, Sample<unknown>>> = { ...samples, ...a2qSamples };

/** Steps in place, which have no row; `optimizers.ts` holds them to their compositions. */
const STEPS: Readonly<Record<keyof FastSteps, true>> = { sgd: true, adam: true, blend: true };

/**
 * Whatever the backend says is fast, against the composition of the row of that name: on the samples of the row, in all
 * memory layouts, value and gradients. One without a row, a sample or a tolerance fails, and so does one that never
 * runs.
 */
export async function fastPathConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  for (const name of Object.keys(s.backend.fast ?? {})) {
    if (name in STEPS) continue;
    await s.test(t, `the fast path of ${name} is its row's composition`, async () => {
      const row = ROWS[name];
      s.check(name, row?.fast ? null : 'there is no row of this name that may be sped up');
      s.check(name, name in SAMPLES ? null : 'the row has no sample');
      s.check(name, name in ROW_TOLERANCES ? null : 'there is no tolerance for it');
      if (row?.fast && name in SAMPLES) await followsRow(s, row, SAMPLES[name], name as keyof FastRows, tolerances);
    });
  }
}

async function followsRow(
  s: Subject,
  row: Row<unknown>,
  { points, edges }: Sample<unknown>,
  name: keyof FastRows,
  tolerances: Tolerances,
): Promise<void> {
  const { value, gradient } = ROW_TOLERANCES[name](tolerances);
  const { value: fastValue, vjp: fastVjp } = s.backend.fast?.[name] ?? {};
  const [values, gradients] = [new Set<string>(), new Set<string>()];
  for (const [i, point] of [...points, ...edges].entries()) {
    const stored = point.inputs.map(numbers).map(({ shape, data }) => ({ shape, data: data.map(s.store) }));
    for (const layout of LAYOUT_NAMES) {
      const inputs = stored.map((array) => s.view(array, LAYOUTS[layout]));
      const label = `point ${i}, ${layout}`;
      const given = { row, inputs, attrs: point.attrs };
      const outputs = composedValue(s.backend, given);
      for (const each of await matches(s, label, outputs, () => ownValue(s.backend, given) ?? [], value))
        values.add(each);
      for (const [kind, g] of upstreams(s, outputs[0].shape, LAYOUTS[layout])) {
        const own = () => ownGradient(s.backend, { ...given, outputs }, g);
        const want = composedGradient(s.backend, { ...given, outputs }, g);
        for (const each of await matches(s, `${label}, gradient ${kind}`, want, own, gradient)) gradients.add(each);
        for (const view of want) view?.storage.dispose();
      }
      for (const view of outputs) view.storage.dispose();
    }
  }
  const rules = typeof fastVjp === 'function' ? 1 : (fastVjp?.length ?? 0);
  s.check(name, fastValue === undefined || values.size > 0 ? null : 'declines the value of every sample');
  s.check(name, gradients.size >= rules ? null : 'declines the gradient of every sample');
}

/** Gradients to an output: different numbers laid out as told, and one number for all, which takes no memory. */
function upstreams(s: Subject, shape: readonly number[], layout: (typeof LAYOUTS)[keyof typeof LAYOUTS]) {
  const same = s.expanded(
    s.array(
      shape.map(() => 1),
      -2,
      2,
    ),
    shape,
  ).view;
  return [
    ['of its own', s.view(s.array(shape, -2, 2), layout)],
    ['of one number', same],
  ] as const;
}

/**
 * Compares a fast path with its composition, as far as it does not decline. Returns the outputs or arguments that
 * ran.
 */
async function matches(
  s: Subject,
  label: string,
  composition: readonly (View | null)[],
  own: () => readonly (View | null)[],
  comparison: Comparison,
): Promise<readonly string[]> {
  const want: Record<string, NumberArray> = {};
  for (const [i, view] of composition.entries()) {
    if (view) want[i] = { shape: view.shape, data: await s.read(view) };
  }
  const results = () => Object.fromEntries(own().flatMap((view, i) => (view ? [[String(i), view]] : [])));
  return Object.keys(await s.expect(label, results, want satisfies Wanted, comparison));
}
