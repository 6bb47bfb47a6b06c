/** The k-th smallest element on order-preserving integer keys: by radix selection, or near the top by a heap. */

/** Key whose unsigned order is the order of floats; −0 counts as 0 and NaN as the largest. */
@inline
function keyOf(at: usize): u32 {
  const bits = load<u32>(at);
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0xffffffff;
  if (magnitude == 0) return 0x80000000;
  return bits >> 31 ? ~bits : bits | 0x80000000;
}

/** Most elements from the top that are kept in order while all others are only compared. */
const TOP: i32 = 2048;

/** Address of the first element equal to the k-th smallest (1-based). Scratch: 8192 bytes. */
function select(scratch: usize, x: usize, count: i32, k: i32): usize {
  const fromTop = count - k + 1;
  const key = fromTop <= TOP ? selectTop(scratch, x, count, fromTop) : selectRadix(scratch, x, count, k);
  return find(x, count, key);
}

/** Key of the m-th largest. Scratch: a heap of as many keys, the smallest first. */
function selectTop(heap: usize, x: usize, count: i32, m: i32): u32 {
  const start = x + (<usize>m << 2);
  const stop = x + (<usize>count << 2);
  for (let i: usize = 0; i < <usize>m << 2; i += 4) store<u32>(heap + i, keyOf(x + i));
  for (let i = (m >> 1) - 1; i >= 0; i--) sink(heap, m, i);
  let at = start;
  while (at < stop) {
    // Not less than the smallest of the heap, or no number.
    const least = f32x4.splat(valueOf(load<u32>(heap)));
    while (at + 64 <= stop) {
      const low = v128.and(f32x4.lt(v128.load(at), least), f32x4.lt(v128.load(at, 16), least));
      const high = v128.and(f32x4.lt(v128.load(at, 32), least), f32x4.lt(v128.load(at, 48), least));
      if (!i32x4.all_true(v128.and(low, high))) break;
      at += 64;
    }
    for (const end = min(at + 64, stop); at < end; at += 4) {
      const key = keyOf(at);
      if (key <= load<u32>(heap)) continue;
      store<u32>(heap, key);
      sink(heap, m, 0);
    }
  }
  return load<u32>(heap);
}

/** Lets entry i sink below smaller ones. */
function sink(heap: usize, m: i32, i: i32): void {
  const key = load<u32>(heap + (<usize>i << 2));
  for (let child = 2 * i + 1; child < m; child = 2 * i + 1) {
    if (child + 1 < m && load<u32>(heap + (<usize>child << 2), 4) < load<u32>(heap + (<usize>child << 2))) child++;
    const below = load<u32>(heap + (<usize>child << 2));
    if (below >= key) break;
    store<u32>(heap + (<usize>i << 2), below);
    i = child;
  }
  store<u32>(heap + (<usize>i << 2), key);
}

/** The float of a key. */
@inline
function valueOf(key: u32): f32 {
  return reinterpret<f32>(key >> 31 ? key & 0x7fffffff : ~key);
}

/** The first element of that key. */
function find(x: usize, count: i32, key: u32): usize {
  const value = f32x4.splat(valueOf(key));
  let at = x;
  if (key != 0xffffffff) {
    const stop = x + (<usize>(count & ~3) << 2);
    while (at < stop && !v128.any_true(f32x4.eq(v128.load(at), value))) at += 16;
  }
  while (keyOf(at) != key) at += 4;
  return at;
}

/** Key of the k-th smallest. Scratch: counters. */
function selectRadix(scratch: usize, x: usize, count: i32, k: i32): u32 {
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
  return prefix;
}

/** Stores the k-th smallest of `count` floats, and the position of the first element equal to it. One unit. */
export function kthSmallest(begin: i32, end: i32, scratch: usize, x: usize, count: i32, k: i32, out: usize): void {
  store<f32>(out, load<f32>(select(scratch, x, count, k)));
}

/** Zeros, but `g` where that element is. One unit. */
export function kthSmallestGradient(
  begin: i32, end: i32, scratch: usize, x: usize, count: i32, k: i32, g: usize, out: usize,
): void {
  const at = select(scratch, x, count, k);
  memory.fill(out, 0, <usize>count << 2);
  store<f32>(out + (at - x), load<f32>(g));
}
