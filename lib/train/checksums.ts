import { crc32 } from '../tensor/crc32.js';
import { DataError } from '../tensor/errors.js';
import { littleEndian, type TensorFile } from '../tensor/safetensors.js';

/** Where checkpoints keep the CRC-32 of each tensor and of each other text of their metadata: [name, CRC] pairs. */
const KEY = 'a2q_crc32';

/** The same contents, with checksums in the metadata. */
export function withChecksums(file: TensorFile): TensorFile {
  return { ...file, metadata: { ...file.metadata, [KEY]: JSON.stringify(checksums(file)) } };
}

/**
 * Holds the contents of a file against the checksums in its metadata; files without any pass.
 *
 * @param name of the file, for errors
 * @throws DataError naming the tensor or text that is damaged or has no checksum, or the one that is gone
 */
export function verifyChecksums(file: TensorFile, name: string): void {
  const text = file.metadata[KEY];
  if (text === undefined) return;
  const fail = (problem: string) => new DataError('checkpoint', `${name}: ${problem}`);
  const written = parse(text);
  if (written === null) throw fail(`its checksums (${KEY}) are damaged`);
  for (const [what, crc] of checksums(file)) {
    if (!written.has(what)) throw fail(`${what} has no checksum; the file was changed after it was written`);
    if (written.get(what) !== crc) throw fail(`${what} is damaged: its checksum is not the one that was written`);
    written.delete(what);
  }
  for (const what of written.keys()) throw fail(`${what} is missing; the file was changed after it was written`);
}

type Checksum = readonly [what: string, crc: number];

/** Of everything in the file but the checksums. Texts are told from tensors by the name of the format's own key. */
function checksums({ tensors, metadata }: TensorFile): Checksum[] {
  const texts = Object.entries(metadata).filter(([key]) => key !== KEY);
  const encoder = new TextEncoder();
  return [
    ...texts.map(([key, text]): Checksum => [`__metadata__.${key}`, crc32(encoder.encode(text))]),
    ...Array.from(tensors, ([key, { data }]): Checksum => [key, crc32(littleEndian(data))]),
  ];
}

function parse(text: string): Map<unknown, unknown> | null {
  try {
    const pairs: unknown = JSON.parse(text);
    return Array.isArray(pairs) && pairs.every(Array.isArray) ? new Map(pairs as [unknown, unknown][]) : null;
  } catch {
    return null;
  }
}
