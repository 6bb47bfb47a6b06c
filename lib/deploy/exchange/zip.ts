import { crc32 } from '../../tensor/crc32.js';
import { DataError } from '../../tensor/errors.js';

/** Largest file and most entries without ZIP64. */
const LIMIT = 2 ** 32 - 1;
const MOST_ENTRIES = 2 ** 16 - 1;

/** 1980-01-01, the first day there is: equal contents give equal bytes. */
const DATE = 0x21;

/**
 * A zip archive whose entries are stored as they are, in the order of the map.
 * @throws DataError if there are more than 65,535 of them, or the archive would pass 4 GiB
 */
export function encodeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const named = [...entries].map(([name, data]) => ({ name: new TextEncoder().encode(name), data, crc: crc32(data) }));
  const local = named.reduce((sum, { name, data }) => sum + 30 + name.length + data.length, 0);
  const central = named.reduce((sum, { name }) => sum + 46 + name.length, 0);
  if (named.length > MOST_ENTRIES || local + central + 22 > LIMIT) {
    throw new DataError('zip', `${named.length} entries of ${local} bytes are beyond what a plain zip archive holds`);
  }
  const bytes = new Uint8Array(local + central + 22);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (...fields: readonly (readonly [width: 2 | 4, value: number])[]) => {
    for (const [width, value] of fields) {
      if (width === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += width;
    }
  };
  const append = (data: Uint8Array) => {
    bytes.set(data, at);
    at += data.length;
  };
  /** What both headers of an entry say: version, UTF-8 names, stored, time and date, sums and lengths. */
  const common = ({ name, data, crc }: (typeof named)[number]) => {
    put([2, 20], [2, 0x800], [2, 0], [2, 0], [2, DATE], [4, crc], [4, data.length], [4, data.length]);
    put([2, name.length], [2, 0]);
  };
  const offsets = named.map((entry) => {
    const offset = at;
    put([4, 0x04034b50]);
    common(entry);
    append(entry.name);
    append(entry.data);
    return offset;
  });
  for (const [i, entry] of named.entries()) {
    put([4, 0x02014b50], [2, 20]);
    common(entry);
    put([2, 0], [2, 0], [2, 0], [4, 0], [4, offsets[i]]);
    append(entry.name);
  }
  put([4, 0x06054b50], [2, 0], [2, 0], [2, named.length], [2, named.length], [4, central], [4, local], [2, 0]);
  return bytes;
}
