import { asNumbers } from '../tensor/argument.js';
import { QuantError, ShapeError } from '../tensor/errors.js';

/**
 * Euclidean projection onto the l1 ball `{v : ‖v‖₁ ≤ T}` (Duchi et al., ICML 2008, fig. 1 with eq. 9), the heart of
 * EP-init (A2Q+, arXiv 2401.10432, section 4.2). Float64 inside, whatever comes in.
 */

/**
 * The soft threshold θ of the projection: 0 if `‖w‖₁ ≤ T`; else, with |w| sorted descending as u and ρ the largest j
 * with `u_j > (Σ_{i≤j} u_i − T)/j`, `θ = (Σ_{i≤ρ} u_i − T)/ρ`.
 *
 * @param w `[K]`, finite.
 * @param radius T ≥ 0, in the units of `w`.
 * @throws QuantError if T is negative or not finite, or a weight is not finite.
 */
export function l1BallThreshold(w: ArrayLike<number>, radius: number): number {
  checkRadius(radius);
  const u = Float64Array.from(w, Math.abs);
  const norm = u.reduce((sum, magnitude) => sum + magnitude, 0);
  if (!Number.isFinite(norm)) throw new QuantError('projectL1Ball', 'weights must be finite numbers');
  if (norm <= radius) return 0;

  u.sort().reverse();
  // j = 1 always qualifies in real arithmetic when T > 0; T = 0 or a T lost to rounding gives θ = u_1, the zero vector.
  let sum = u[0];
  let theta = sum - radius;
  for (let j = 2; j <= u.length; j++) {
    sum += u[j - 1];
    const candidate = (sum - radius) / j;
    if (u[j - 1] <= candidate) break;
    theta = candidate;
  }
  // Two orders of summation may disagree by a rounding about a w on the sphere itself.
  return Math.max(theta, 0);
}

/**
 * The point of the l1 ball nearest to `w`: `argmin ½‖v − w‖² s.t. ‖v‖₁ ≤ T`, which is `sign(w)·max(|w| − θ, 0)`.
 *
 * @param w `[K]`, finite.
 * @param radius T ≥ 0, in the units of `w`.
 * @returns `[K]`, a new array; equal to `w` if that is inside already.
 * @throws QuantError if T is negative or not finite, or a weight is not finite.
 * @example
 * projectL1Ball([3, -1, -2], 2.5); // [1.75, 0, −0.75]
 */
export function projectL1Ball(w: ArrayLike<number>, radius: number): Float64Array {
  const theta = l1BallThreshold(asNumbers('projectL1Ball', 'w', w), radius);
  return theta === 0 ? new Float64Array(w) : Float64Array.from(w, (value) => shrink(value, theta));
}

/**
 * `projectL1Ball` of every row: one output channel, one ball.
 *
 * @param w `[channels, K]` row-major, finite.
 * @param channels number of rows.
 * @param radius T of each row `[channels]`, or one for all.
 * @returns `[channels, K]`, a new array.
 * @throws ShapeError if the rows are uneven or the radii too few or too many; QuantError as `projectL1Ball`.
 */
export function projectL1Rows(
  w: ArrayLike<number>,
  channels: number,
  radius: number | ArrayLike<number>,
): Float64Array {
  const length = asNumbers('projectL1Rows', 'w', w).length / channels;
  if (!Number.isInteger(channels) || channels < 1 || !Number.isInteger(length))
    throw new ShapeError('projectL1Rows', `${w.length} weights do not make ${channels} equal rows`);
  if (typeof radius !== 'number' && asNumbers('projectL1Rows', 'radius', radius).length !== channels)
    throw new ShapeError('projectL1Rows', `wants one radius per row; got ${radius.length} for ${channels} rows`);

  const rows = new Float64Array(w);
  for (let row = 0; row < channels; row++) {
    const ball = typeof radius === 'number' ? radius : radius[row];
    rows.set(projectL1Ball(rows.subarray(row * length, (row + 1) * length), ball), row * length);
  }
  return rows;
}

/** `sign(w)·max(|w| − θ, 0)`, without −0. */
function shrink(value: number, theta: number): number {
  if (value > theta) return value - theta;
  return value < -theta ? value + theta : 0;
}

function checkRadius(radius: number): void {
  if (!Number.isFinite(radius) || radius < 0)
    throw new QuantError('projectL1Ball', `radius must be a finite number of at least 0; got ${radius}`);
}
