import fc from 'fast-check';
import type { Test } from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import { Random } from '../../../lib/tensor/random.js';
import { isContiguous } from '../../../lib/tensor/shape.js';
import { type DType, hostArray, memory, Storage } from '../../../lib/tensor/storage.js';
import { type View, viewExpand } from '../../../lib/tensor/view.js';
import { difference, inequality, type Numbers, relativeDifference } from '../../helpers.js';
import { at, build, count, indices, type NumberArray } from '../../oracle.js';
import type { Comparison } from '../../tolerances.js';
import { LAYOUTS, type Layout } from './layouts.js';

/** Results of a kernel, by name. */
export type Results = Readonly<Record<string, View>>;

/** A backend under test in one dtype, with the record of what it got wrong. */
export class Subject {
  readonly random = new Random(20240711);
  #problems: string[] = [];
  #checks = 0;
  #inputs: Storage[] = [];

  constructor(
    readonly backend: Backend,
    readonly dtype: DType,
  ) {}

  /** A number as the dtype stores it. */
  readonly store = (x: number): number => {
    if (this.dtype === 'float64') return x;
    return this.dtype === 'float32' ? Math.fround(x) : x | 0;
  };

  /** Random numbers of the dtype in [low, high). */
  array(shape: readonly number[], low = -1, high = 1): NumberArray {
    const data = Array.from({ length: count(shape) }, () => this.store(this.random.uniform(low, high)));
    return { shape, data };
  }

  /** Random integers low … high, which every dtype holds exactly. */
  integers(shape: readonly number[], low: number, high: number): NumberArray {
    const draw = () => low + this.random.integer(high - low + 1);
    return { shape, data: Array.from({ length: count(shape) }, draw) };
  }

  /** The numbers on the backend, laid out in memory as told; gaps are filled with numbers that would show. */
  view(array: NumberArray, layout: Layout = LAYOUTS.contiguous): View {
    const { length, strides, offset } = layout(array.shape);
    const block = hostArray(this.dtype, length).fill(this.dtype === 'int32' ? 987654321 : Number.NaN);
    let i = 0;
    for (const index of indices(array.shape)) {
      block[index.reduce((start, coordinate, axis) => start + coordinate * strides[axis], offset)] = array.data[i++];
    }
    const storage = Storage.alloc(this.backend, length, this.dtype, block);
    this.#inputs.push(storage);
    return { storage, shape: array.shape, strides, offset };
  }

  /** `array` stretched to `shape` with stride 0 along its extents of 1 and its missing leading axes. */
  expanded(array: NumberArray, shape: readonly number[], layout?: Layout): { x: NumberArray; view: View } {
    const lead = shape.length - array.shape.length;
    const x = build(shape, (index) =>
      at(array, ...index.slice(lead).map((i, axis) => Math.min(i, array.shape[axis] - 1))),
    );
    return { x, view: viewExpand(this.view(array, layout), shape) };
  }

  /** Row-major elements of a view. */
  async read({ storage, shape, strides, offset }: View): Promise<number[]> {
    const block = await this.backend.read(storage.handle, storage.length, storage.dtype);
    return indices(shape).map((index) => block[index.reduce((start, i, axis) => start + i * strides[axis], offset)]);
  }

  /**
   * Runs a kernel and compares every result with what it should be. Also holds it to the contract: results are fresh,
   * contiguous, of the right shape and dtype, and nothing else stays allocated.
   */
  async expect(
    label: string,
    kernel: () => Results,
    want: Readonly<Record<string, NumberArray>>,
    comparison: Comparison,
  ): Promise<Record<string, number[]>> {
    const before = memory(this.backend).storages;
    const results = kernel();
    const views = Object.values(results);
    const made = memory(this.backend).storages - before;
    this.check(label, made === views.length ? null : `${made} blocks stay allocated for ${views.length} results`);
    const numbers: Record<string, number[]> = {};
    for (const [name, view] of Object.entries(results)) {
      const what = name === 'out' ? label : `${label}: ${name}`;
      this.check(what, shapeProblem(view, want[name].shape));
      this.check(what, view.storage.dtype === this.dtype ? null : `dtype is ${view.storage.dtype}`);
      numbers[name] = await this.read(view);
      this.check(what, compare(numbers[name], want[name].data, comparison));
      view.storage.dispose();
    }
    return numbers;
  }

  /** Notes one check: what is wrong, or null. */
  check(label: string, problem: string | null): void {
    this.#checks++;
    if (problem !== null) this.#problems.push(`${label}: ${problem}`);
  }

  /**
   * A subtest that fails with the list of what was wrong, and also if nothing was checked. Frees the inputs after it.
   */
  async test(t: Test, name: string, body: () => Promise<void>): Promise<void> {
    await t.test(name, async (t) => {
      const before = memory(this.backend).storages;
      this.#problems = [];
      this.#checks = 0;
      await body();
      this.#freeInputs();
      for (const problem of this.#problems.slice(0, 12)) t.fail(problem);
      t.equal(this.#problems.length, 0, `${this.#checks} checks`);
      t.ok(this.#checks > 0, 'something was checked');
      t.equal(memory(this.backend).storages, before, 'all memory is free again');
    });
  }

  /** A property over random cases, seeded; each case may make checks as usual. Failing cases are shrunk. */
  async property<T>(runs: number, cases: fc.Arbitrary<T>, body: (value: T) => Promise<void>): Promise<void> {
    const earlier = this.#problems;
    const property = fc.asyncProperty(cases, async (value) => {
      this.#problems = [];
      await body(value);
      this.#freeInputs();
      if (this.#problems.length > 0) throw new Error(this.#problems[0]);
    });
    const details = await fc.check(property, { seed: 20240711, numRuns: runs });
    this.#problems = earlier;
    this.check('property', details.failed ? (fc.defaultReportMessage(details) ?? null) : null);
  }

  #freeInputs(): void {
    for (const storage of this.#inputs) storage.dispose();
    this.#inputs = [];
  }
}

/** What is wrong between two lists of numbers; null if nothing. */
export function compare(got: Numbers, want: Numbers, comparison: Comparison): string | null {
  if (comparison === 'exact') return inequality(got, want);
  if ('relative' in comparison) return relativeDifference(got, want, comparison.relative);
  return difference(got, want, comparison.tolerance);
}

function shapeProblem(view: View, want: readonly number[]): string | null {
  if (view.shape.join() !== want.join()) return `shape is [${view.shape}], want [${want}]`;
  return isContiguous(view.shape, view.strides) ? null : `result has strides [${view.strides}]`;
}
