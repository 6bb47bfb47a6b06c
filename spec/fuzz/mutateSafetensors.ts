import type { Random } from '../../lib/tensor/random.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import { mutateJson } from './mutate.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Damages a header so that its length is right still, for damage that reaches what lies behind it. */
export function mutateHeader(seed: Uint8Array, random: Random): Uint8Array {
  const length = Number(new DataView(seed.buffer, seed.byteOffset).getBigUint64(0, true));
  const text = encode(mutateJson([decode(seed.subarray(8, 8 + length))], random));
  const out = new Uint8Array(8 + text.length + seed.length - 8 - length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(seed.subarray(8 + length), 8 + text.length);
  return out;
}

/** Exchanges values within the texts of the metadata. */
export function mutateTexts(seed: Uint8Array, random: Random): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(seed, 'seed');
  const keys = Object.keys(metadata).filter((key) => key.startsWith('a2q'));
  const key = keys[random.integer(keys.length)];
  return encodeSafetensors({ tensors, metadata: { ...metadata, [key]: mutateJson([metadata[key] ?? ''], random) } });
}
