import type { HostArray } from './arrays.js';

/** `out[b, i, j] = Σ_p a[b, i, p]·b[b, p, j]`, accumulated in float64 and rounded once. */
export function matmul(out: HostArray, a: HostArray, b: HostArray): void {
  const [batch, m, n] = out.shape;
  const k = a.shape[2];
  for (let at = 0; at < batch; at++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a.get(at, i, p) * b.get(at, p, j);
        out.set(at, i, j, sum);
      }
    }
  }
}
