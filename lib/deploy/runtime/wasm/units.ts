/** Weights dealt unit by unit into groups of additions that cannot leave an int8 register. */

/** One channel's weights by place: what to add and what to subtract, with multiplicity, group by group. */
export interface UnitGroup {
  readonly plus: readonly number[];
  readonly minus: readonly number[];
}

/** Largest sum of a group. */
const MOST = 127;

/**
 * How many units a group may add and may subtract, of inputs `low … high`: with inputs of one sign the two work against
 * each other, so each may have as many.
 */
export function unitsOfGroup(low: number, high: number): { readonly each: number; readonly both: number } {
  const largest = Math.max(-low, high, 1);
  const units = Math.floor(MOST / largest);
  return { each: units, both: low < 0 && high > 0 ? units : 2 * units };
}

/** Groups for a channel's weights, of inputs `low … high`. */
export function dealt(weights: ArrayLike<number>, low: number, high: number): readonly UnitGroup[] {
  const { each, both } = unitsOfGroup(low, high);
  const units = { plus: [] as number[], minus: [] as number[] };
  for (let k = 0; k < weights.length; k++) {
    const list = weights[k] > 0 ? units.plus : units.minus;
    for (let unit = Math.abs(weights[k]); unit > 0; unit--) list.push(k);
  }
  const groups: { plus: number[]; minus: number[] }[] = [];
  let [plus, minus] = [0, 0];
  while (plus < units.plus.length || minus < units.minus.length) {
    const adds = Math.min(each, units.plus.length - plus);
    const subtracts = Math.min(each, both - adds, units.minus.length - minus);
    groups.push({
      plus: units.plus.slice(plus, plus + adds),
      minus: units.minus.slice(minus, minus + subtracts),
    });
    plus += adds;
    minus += subtracts;
  }
  return groups;
}
