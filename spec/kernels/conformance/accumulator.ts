import fc from 'fast-check';
import type { Test } from 'tap';
import { fitAccumulator, type NumberArray, type Register, registerFor } from '../../oracle.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import type { Subject } from './subject.js';

const { NaN: nan } = Number;

/** Integer weights that fit their accumulator: exact, whatever the sums. */
export async function accumulatorConformance(t: Test, s: Subject): Promise<void> {
  const run = (q: NumberArray, accumulator: Register, layout: keyof typeof LAYOUTS = 'contiguous') => {
    const limit = q.data.reduce((most, x) => Math.max(most, Math.abs(x) || 0), 0);
    const view = s.view(q, LAYOUTS[layout]);
    const label = `[${q.shape}] on ${accumulator.bits} bits of ${accumulator.low} … ${accumulator.high}, ${layout}`;
    const own = () => ({ out: s.backend.fitAccumulator(view, { limit, accumulator }) });
    return s.expect(label, own, { out: fitAccumulator(q, accumulator) }, 'exact');
  };
  const row = (...data: number[]): NumberArray => ({ shape: [1, data.length], data });

  await s.test(t, 'fitAccumulator by hand', async () => {
    const literal = async (q: number[], accumulator: Register, want: number[]) => {
      const view = s.view(row(...q));
      const own = () => ({ out: s.backend.fitAccumulator(view, { limit: 100, accumulator }) });
      await s.expect(`${q} on ${accumulator.bits} bits`, own, { out: row(...want) }, 'exact');
    };
    // 4 bits hold −8 … 7. Inputs 0 … 1: the positive weights may sum up to 7, the negative ones to −8.
    const bits = { bits: 4, low: 0, high: 1 };
    await literal([3, 4, -5, -3], bits, [3, 4, -5, -3]);
    await literal([3, 5, -5, -4, 2, -1], bits, [3, 4, -5, -3, 0, 0]);
    await literal([3, nan, 5, 0, -9], bits, [3, nan, 4, 0, -8]);
    // Inputs −1 … 0: what is positive pulls down.
    await literal([9, -9, 1], { bits: 4, low: -1, high: 0 }, [8, -7, 0]);
    // Inputs −2 … 1 with α, b: α + 2b ≤ 7 and 2α + b ≤ 8.
    await literal([3, -2], { bits: 4, low: -2, high: 1 }, [3, -2]);
    await literal([3, -3, 1], { bits: 4, low: -2, high: 1 }, [3, -2, 0]);
    await literal([2, -2, 2], { bits: 4, low: -2, high: 1 }, [2, -2, 1]);
  });

  await s.test(t, 'fitAccumulator in every layout', async () => {
    for (const layout of LAYOUT_NAMES) {
      await run(s.integers([5, 7], -7, 7), registerFor(6, { bits: 2, signed: false }), layout);
      await run(s.integers([5, 7], -7, 7), registerFor(6, { bits: 2, signed: true }), layout);
    }
    await run({ shape: [0, 3], data: [] }, registerFor(6, { bits: 2, signed: true }));
  });

  await s.test(t, 'fitAccumulator of random rows and registers', async () => {
    const cases = fc.record({
      bits: fc.integer({ min: 2, max: 22 }),
      input: fc.record({ bits: fc.integer({ min: 1, max: 16 }), signed: fc.boolean() }),
      most: fc.constantFrom(1, 3, 127, 32767),
      side: fc.constantFrom(-1, 0, 1),
      length: fc.integer({ min: 1, max: 33 }),
    });
    await s.property(150, cases, async ({ bits, input, most, side, length }) => {
      const q = s.integers([3, length], side > 0 ? 0 : -most, side < 0 ? 0 : most);
      await run(q, registerFor(Math.max(bits, input.bits), input));
    });
  });
}
