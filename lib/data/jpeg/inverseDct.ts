/**
 * The inverse DCT of 8×8 blocks in integers, after Loeffler, Ligtenberg and Moschytz (1989): twelve products a row,
 * with the fixed-point constants and the two roundings of libjpeg's accurate method, so that samples equal its own.
 */

const FRACTION_BITS = 13;
/** Bits kept beyond integers between the two passes. */
const EXTRA_BITS = 2;

const fixed = (value: number) => Math.round(value * 2 ** FRACTION_BITS);
const C_0_299 = fixed(0.298631336);
const C_0_390 = fixed(0.390180644);
const C_0_541 = fixed(0.5411961);
const C_0_765 = fixed(0.765366865);
const C_0_900 = fixed(0.899976223);
const C_1_176 = fixed(1.175875602);
const C_1_501 = fixed(1.50132111);
const C_1_848 = fixed(1.847759065);
const C_1_962 = fixed(1.96157056);
const C_2_053 = fixed(2.053119869);
const C_2_563 = fixed(2.562915447);
const C_3_073 = fixed(3.072711026);

/**
 * One dimension in place: eight numbers from `at`, `step` apart, each rounded off by `shift` bits.
 *
 * The even ones are turned by a quarter and a half, the odd ones by odd sixteenths of a circle.
 */
function transform(block: Int32Array, at: number, step: number, shift: number): void {
  const x0 = block[at];
  const x1 = block[at + step];
  const x2 = block[at + 2 * step];
  const x3 = block[at + 3 * step];
  const x4 = block[at + 4 * step];
  const x5 = block[at + 5 * step];
  const x6 = block[at + 6 * step];
  const x7 = block[at + 7 * step];

  const turn = Math.imul(x2 + x6, C_0_541);
  const even2 = turn - Math.imul(x6, C_1_848);
  const even3 = turn + Math.imul(x2, C_0_765);
  const sum = (x0 + x4) << FRACTION_BITS;
  const difference = (x0 - x4) << FRACTION_BITS;
  const half = 1 << (shift - 1);
  const e0 = sum + even3 + half;
  const e1 = difference + even2 + half;
  const e2 = difference - even2 + half;
  const e3 = sum - even3 + half;

  const common = Math.imul(x7 + x3 + x5 + x1, C_1_176);
  const z1 = -Math.imul(x7 + x1, C_0_900);
  const z2 = -Math.imul(x5 + x3, C_2_563);
  const z3 = common - Math.imul(x7 + x3, C_1_962);
  const z4 = common - Math.imul(x5 + x1, C_0_390);
  const o0 = Math.imul(x1, C_1_501) + z1 + z4;
  const o1 = Math.imul(x3, C_3_073) + z2 + z3;
  const o2 = Math.imul(x5, C_2_053) + z2 + z4;
  const o3 = Math.imul(x7, C_0_299) + z1 + z3;

  block[at] = (e0 + o0) >> shift;
  block[at + step] = (e1 + o1) >> shift;
  block[at + 2 * step] = (e2 + o2) >> shift;
  block[at + 3 * step] = (e3 + o3) >> shift;
  block[at + 4 * step] = (e3 - o3) >> shift;
  block[at + 5 * step] = (e2 - o2) >> shift;
  block[at + 6 * step] = (e1 - o1) >> shift;
  block[at + 7 * step] = (e0 - o0) >> shift;
}

/**
 * Dequantized coefficients to samples 0 … 255.
 *
 * @param block [8, 8], overwritten
 * @param into takes 64 samples from `at`
 */
export function inverseDct(block: Int32Array, into: Uint8Array | Int16Array, at: number): void {
  for (let column = 0; column < 8; column++) transform(block, column, 8, FRACTION_BITS - EXTRA_BITS);
  for (let row = 0; row < 64; row += 8) transform(block, row, 1, FRACTION_BITS + EXTRA_BITS + 3);
  for (let i = 0; i < 64; i++) into[at + i] = sample(block[i]);
}

/** The same for a block whose other coefficients are 0. */
export function inverseDctFlat(dc: number, into: Uint8Array | Int16Array, at: number): void {
  into.fill(sample((dc + 4) >> 3), at, at + 64);
}

function sample(value: number): number {
  const shifted = value + 128;
  return shifted < 0 ? 0 : shifted > 255 ? 255 : shifted;
}
