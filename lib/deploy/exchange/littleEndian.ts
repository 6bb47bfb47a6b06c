const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Elements of `width` bytes between this machine's order and the little-endian one, either way: a copy. */
export function littleEndian(bytes: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  return HOST_IS_LITTLE ? copy : copy.map((_, i) => bytes[i - (i % width) + width - 1 - (i % width)]);
}
