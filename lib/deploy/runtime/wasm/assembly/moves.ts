/**
 * Integers to other places and widths. `dims` are six extents, then six strides of the source and six of the result, in
 * bytes; units count the first two extents.
 */
/** Every second byte, sixteen at a time. @returns how many */
function halve(from: usize, to: usize, count: i32): i32 {
  let i = 0;
  // The last of 32 bytes is not asked for.
  for (; i + 17 <= count; i += 16) {
    const low = v128.load(from + (<usize>i << 1));
    const high = v128.load(from + (<usize>i << 1), 16);
    const evens = i8x16.shuffle(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    v128.store(to + i, evens);
  }
  return i;
}

/** To every second byte; those between stay. @returns how many */
function double(from: usize, to: usize, count: i32): i32 {
  const others = i16x8.splat(<i16>0xff00);
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const x = v128.load(from + i);
    const at = to + (<usize>i << 1);
    v128.store(at, v128.or(v128.and(v128.load(at), others), i16x8.extend_low_i8x16_u(x)));
    v128.store(at, v128.or(v128.and(v128.load(at, 16), others), i16x8.extend_high_i8x16_u(x)), 16);
  }
  return i;
}

@inline
function move<S, D>(begin: i32, end: i32, from: usize, to: usize, dims: usize): void {
  const e1 = load<i32>(dims, 4);
  const e2 = load<i32>(dims, 8);
  const e3 = load<i32>(dims, 12);
  const e4 = load<i32>(dims, 16);
  const e5 = load<i32>(dims, 20);
  const s5 = load<usize>(dims, 44);
  const d5 = load<usize>(dims, 68);
  const isCopy = sizeof<S>() == sizeof<D>() && s5 == sizeof<S>() && d5 == sizeof<D>();
  for (let unit = begin; unit < end; unit++) {
    const i0 = <usize>(unit / e1);
    const i1 = <usize>(unit % e1);
    const s1 = from + i0 * load<usize>(dims, 24) + i1 * load<usize>(dims, 28);
    const d1 = to + i0 * load<usize>(dims, 48) + i1 * load<usize>(dims, 52);
    for (let i2: usize = 0; i2 < <usize>e2; i2++) {
      const s2 = s1 + i2 * load<usize>(dims, 32);
      const d2 = d1 + i2 * load<usize>(dims, 56);
      for (let i3: usize = 0; i3 < <usize>e3; i3++) {
        const s3 = s2 + i3 * load<usize>(dims, 36);
        const d3 = d2 + i3 * load<usize>(dims, 60);
        for (let i4: usize = 0; i4 < <usize>e4; i4++) {
          let s = s3 + i4 * load<usize>(dims, 40);
          let d = d3 + i4 * load<usize>(dims, 64);
          if (isCopy) memory.copy(d, s, <usize>e5 * sizeof<S>());
          else {
            let i = 0;
            if (sizeof<S>() == 1 && sizeof<D>() == 1) {
              if (s5 == 2 && d5 == 1) i = halve(s, d, e5);
              if (s5 == 1 && d5 == 2) i = double(s, d, e5);
              s += <usize>i * s5;
              d += <usize>i * d5;
            }
            for (; i < e5; i++) {
              store<D>(d, <D>load<S>(s));
              s += s5;
              d += d5;
            }
          }
        }
      }
    }
  }
}

export function moveBytes(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<i8, i8>(begin, end, from, to, dims);
}

export function moveWords(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<i32, i32>(begin, end, from, to, dims);
}

/** int32 to bytes. */
export function narrow(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<i32, i8>(begin, end, from, to, dims);
}

/** Bytes to int32. */
export function widen(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<i8, i32>(begin, end, from, to, dims);
}

export function widenUnsigned(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<u8, i32>(begin, end, from, to, dims);
}

/** Bytes to int16. */
export function spread(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<i8, i16>(begin, end, from, to, dims);
}

export function spreadUnsigned(begin: i32, end: i32, scratch: usize, from: usize, to: usize, dims: usize): void {
  move<u8, i16>(begin, end, from, to, dims);
}
