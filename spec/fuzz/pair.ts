/** Two files as one: the first after its length. */
export function joinPair(first: Uint8Array, second: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + first.length + second.length);
  new DataView(out.buffer).setUint32(0, first.length);
  out.set(first, 4);
  out.set(second, 4 + first.length);
  return out;
}

/** The two again. */
export function splitPair(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return [bytes.subarray(4, end), bytes.subarray(end)];
}
