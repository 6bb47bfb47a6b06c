/**
 * Largest magnitude of an integer q that float32 carries as `q·s` for every scale s: the product is rounded to 24
 * digits, which up to 2^23 moves it by less than half a step, so q can be told from its neighbours. Signed formats of
 * 24 bits keep to it, and unsigned ones of 23.
 */
export const MAX_FLOAT_INTEGER = 2 ** 23;

/** The nearest integer; of two equally near ones the even one. Keeps −0, infinities and NaN. */
export function roundHalfEven(x: number): number {
  const isTie = x - Math.floor(x) === 0.5;
  return isTie ? 2 * Math.round(x / 2) : Math.round(x);
}
