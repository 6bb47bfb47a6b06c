/**
 * A row-major array with its axes in another order.
 * @param axes axis of the input that becomes each axis of the output
 */
export function permuted(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const out = new Float32Array(data.length);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from];
    for (let i = axes.length - 1; i >= 0; i--) {
      from += strides[axes[i]];
      if (++index[i] < shape[axes[i]]) break;
      from -= strides[axes[i]] * shape[axes[i]];
      index[i] = 0;
    }
  }
  return out;
}
