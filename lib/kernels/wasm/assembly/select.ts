/** The k-th smallest element by radix selection on order-preserving integer keys. */

/** Key whose unsigned order is the order of floats; −0 counts as 0 and NaN as the largest. */
@inline
function keyOf(at: usize): u32 {
  const bits = load<u32>(at);
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0xffffffff;
  if (magnitude == 0) return 0x80000000;
  return bits >> 31 ? ~bits : bits | 0x80000000;
}

/** Address of the first element equal to the k-th smallest (1-based). Scratch: 8192 bytes of counters. */
function select(scratch: usize, x: usize, count: i32, k: i32): usize {
  const stop = x + (<usize>count << 2);
  let prefix: u32 = 0;
  let mask: u32 = 0;
  let rank = k;
  for (let round = 0; round < 3; round++) {
    const shift: u32 = round == 0 ? 21 : round == 1 ? 10 : 0;
    const buckets: u32 = round == 2 ? 0x3ff : 0x7ff;
    memory.fill(scratch, 0, 8192);
    for (let at = x; at < stop; at += 4) {
      const key = keyOf(at);
      if ((key & mask) == prefix) {
        const counter = scratch + (<usize>((key >> shift) & buckets) << 2);
        store<i32>(counter, load<i32>(counter) + 1);
      }
    }
    let bucket: u32 = 0;
    while (rank > load<i32>(scratch + (<usize>bucket << 2))) {
      rank -= load<i32>(scratch + (<usize>bucket << 2));
      bucket++;
    }
    prefix |= bucket << shift;
    mask |= buckets << shift;
  }
  let at = x;
  while (keyOf(at) != prefix) at += 4;
  return at;
}

/** Stores the k-th smallest of `count` floats, and the position of the first element equal to it. One unit. */
export function kthSmallest(
  begin: i32, end: i32, scratch: usize, x: usize, count: i32, k: i32, value: usize, index: usize,
): void {
  const at = select(scratch, x, count, k);
  store<f32>(value, load<f32>(at));
  store<f32>(index, <f32>((at - x) >> 2));
}

/** Zeros, but `g` where that element is. One unit. */
export function kthSmallestGradient(
  begin: i32, end: i32, scratch: usize, x: usize, count: i32, k: i32, g: usize, out: usize,
): void {
  const at = select(scratch, x, count, k);
  memory.fill(out, 0, <usize>count << 2);
  store<f32>(out + (at - x), load<f32>(g));
}
