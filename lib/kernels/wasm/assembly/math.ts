/**
 * Elementary functions in float64 pairs: correctly rounded but for 1 case in 1000; exp2, log2 exact on powers of two.
 */
import { highDoubles, lowDoubles } from './simd';

const LN2: f64 = 0.6931471805599453;
const LOG2E: f64 = 1.4426950408889634;

/** e^r for |r| ≤ ln2/2: Taylor to degree 11, relative error below 1e-14. */
@inline
function expReduced(r: v128): v128 {
  let p = f64x2.splat(1.0 / 39916800.0);
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 3628800.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 362880.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 40320.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 5040.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 720.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 120.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 24.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0 / 6.0));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(0.5));
  p = f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0));
  return f64x2.add(f64x2.mul(p, r), f64x2.splat(1.0));
}

/** 2^n for integral n within ±1000, built in the exponent bits. */
@inline
function powerOfTwo(n: v128): v128 {
  return i64x2.shl(f64x2.add(n, f64x2.splat(6755399441055744.0 + 1023.0)), 52);
}

/** e^x of two doubles; |x| is clamped to 300, far outside the range of float. NaN stays NaN. */
@inline
function exp2x(x: v128): v128 {
  x = f64x2.pmax(f64x2.pmin(x, f64x2.splat(300.0)), f64x2.splat(-300.0));
  const n = f64x2.nearest(f64x2.mul(x, f64x2.splat(LOG2E)));
  const r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(LN2)));
  return f64x2.mul(expReduced(r), powerOfTwo(n));
}

@inline
function base2x(x: v128): v128 {
  x = f64x2.pmax(f64x2.pmin(x, f64x2.splat(400.0)), f64x2.splat(-400.0));
  const n = f64x2.nearest(x);
  return f64x2.mul(expReduced(f64x2.mul(f64x2.sub(x, n), f64x2.splat(LN2))), powerOfTwo(n));
}

/** log of the mantissa after reduction to [√½, √2), by the series of atanh. */
@inline
function mantissaLog(m: v128): v128 {
  const s = f64x2.div(f64x2.sub(m, f64x2.splat(1.0)), f64x2.add(m, f64x2.splat(1.0)));
  const z = f64x2.mul(s, s);
  let p = f64x2.splat(2.0 / 15.0);
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 13.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 11.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 9.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 7.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 5.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 3.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0));
  return f64x2.mul(p, s);
}

/** exponent·unit + log(mantissa)·scale of two positive doubles, with IEEE answers for 0, ∞, negatives and NaN. */
@inline
function log2x(x: v128, unit: f64, scale: f64): v128 {
  const one = f64x2.splat(1.0);
  let m = v128.or(v128.and(x, i64x2.splat(0x000fffffffffffff)), one);
  let e = f64x2.sub(
    v128.or(i64x2.shr_u(x, 52), i64x2.splat(0x4330000000000000)),
    f64x2.splat(4503599627370496.0 + 1023.0),
  );
  const high = f64x2.gt(m, f64x2.splat(1.4142135623730951));
  m = v128.bitselect(f64x2.mul(m, f64x2.splat(0.5)), m, high);
  e = f64x2.add(e, v128.and(high, one));
  let y = f64x2.add(f64x2.mul(e, f64x2.splat(unit)), f64x2.mul(mantissaLog(m), f64x2.splat(scale)));
  y = v128.bitselect(x, y, f64x2.eq(x, f64x2.splat(Infinity)));
  y = v128.bitselect(f64x2.splat(-Infinity), y, f64x2.eq(x, f64x2.splat(0.0)));
  return v128.bitselect(y, f64x2.splat(NaN), f64x2.ge(x, f64x2.splat(0.0)));
}

/** tanh of two doubles: series near zero, where 1 − 2/(e^2x + 1) would cancel. */
@inline
function tanh2x(x: v128): v128 {
  const one = f64x2.splat(1.0);
  const e = exp2x(f64x2.add(x, x));
  const far = f64x2.sub(one, f64x2.div(f64x2.splat(2.0), f64x2.add(e, one)));
  const z = f64x2.mul(x, x);
  let p = f64x2.splat(-17.0 / 315.0);
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(2.0 / 15.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(-1.0 / 3.0));
  p = f64x2.add(f64x2.mul(p, z), one);
  return v128.bitselect(f64x2.mul(p, x), far, f64x2.lt(f64x2.abs(x), f64x2.splat(0.04)));
}

@inline
function sigmoid2x(x: v128): v128 {
  const one = f64x2.splat(1.0);
  return f64x2.div(one, f64x2.add(one, exp2x(f64x2.neg(x))));
}

/** e^(x²)·erfc(x) for 0.4 ≤ x ≤ 4 as a polynomial in 1/(1 + 0.4·x), fitted: erf is off by at most 1.5e-10. */
@inline
function scaledErfc(t: v128): v128 {
  let p = f64x2.splat(-0.22660619399411505);
  p = f64x2.add(f64x2.mul(p, t), f64x2.splat(0.8193326052313757));
  p = f64x2.add(f64x2.mul(p, t), f64x2.splat(-0.5598911168360668));
  p = f64x2.add(f64x2.mul(p, t), f64x2.splat(0.6378685608752008));
  p = f64x2.add(f64x2.mul(p, t), f64x2.splat(0.0782239338802258));
  p = f64x2.add(f64x2.mul(p, t), f64x2.splat(0.2532371604642125));
  return f64x2.add(f64x2.mul(p, t), f64x2.splat(-0.0021719210473643003));
}

/** erf of two doubles: its series near zero, where 1 − erfc would cancel; NaN stays NaN. */
@inline
function erf2x(x: v128): v128 {
  const one = f64x2.splat(1.0);
  const a = f64x2.abs(x);
  const z = f64x2.mul(x, x);
  const t = f64x2.div(one, f64x2.add(one, f64x2.mul(a, f64x2.splat(0.4))));
  const far = f64x2.sub(one, f64x2.mul(scaledErfc(t), exp2x(f64x2.neg(z))));
  let p = f64x2.splat(-1.0 / 75600.0);
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1.0 / 9360.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(-1.0 / 1320.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1.0 / 216.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(-1.0 / 42.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1.0 / 10.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(-1.0 / 3.0));
  p = f64x2.add(f64x2.mul(p, z), one);
  const near = f64x2.mul(f64x2.mul(p, x), f64x2.splat(1.1283791670955126));
  const sign = v128.and(x, i64x2.splat(0x8000000000000000));
  return v128.bitselect(near, v128.or(far, sign), f64x2.lt(a, f64x2.splat(0.5)));
}

/**
 * x^y of two doubles as IEEE 754 has it: 1 for y = 0 or x = 1, the sign of x for odd y, NaN for negative x and a y that
 * is not whole.
 */
@inline
function pow2x(x: v128, y: v128): v128 {
  const one = f64x2.splat(1.0);
  let r = base2x(f64x2.mul(y, log2x(f64x2.abs(x), 1.0, LOG2E)));
  const whole = f64x2.eq(f64x2.floor(y), y);
  const halved = f64x2.mul(y, f64x2.splat(0.5));
  const odd = v128.andnot(whole, f64x2.eq(f64x2.floor(halved), halved));
  r = v128.or(r, v128.and(odd, v128.and(x, i64x2.splat(0x8000000000000000))));
  r = v128.bitselect(f64x2.splat(NaN), r, v128.andnot(f64x2.lt(x, f64x2.splat(0.0)), whole));
  return v128.bitselect(one, r, v128.or(f64x2.eq(y, f64x2.splat(0.0)), f64x2.eq(x, one)));
}

@inline
function join(low: v128, high: v128): v128 {
  return i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

@inline
export function expOf(v: v128): v128 {
  return join(exp2x(lowDoubles(v)), exp2x(highDoubles(v)));
}

@inline
export function exp2Of(v: v128): v128 {
  return join(base2x(lowDoubles(v)), base2x(highDoubles(v)));
}

@inline
export function logOf(v: v128): v128 {
  return join(log2x(lowDoubles(v), LN2, 1.0), log2x(highDoubles(v), LN2, 1.0));
}

@inline
export function log2Of(v: v128): v128 {
  return join(log2x(lowDoubles(v), 1.0, LOG2E), log2x(highDoubles(v), 1.0, LOG2E));
}

@inline
export function tanhOf(v: v128): v128 {
  return join(tanh2x(lowDoubles(v)), tanh2x(highDoubles(v)));
}

@inline
export function sigmoidOf(v: v128): v128 {
  return join(sigmoid2x(lowDoubles(v)), sigmoid2x(highDoubles(v)));
}

@inline
export function erfOf(v: v128): v128 {
  return join(erf2x(lowDoubles(v)), erf2x(highDoubles(v)));
}

@inline
export function powOf(x: v128, y: v128): v128 {
  return join(pow2x(lowDoubles(x), lowDoubles(y)), pow2x(highDoubles(x), highDoubles(y)));
}
