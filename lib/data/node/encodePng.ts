import { deflateSync } from 'node:zlib';
import { crc32 } from '../../tensor/crc32.js';
import { DataError } from '../../tensor/errors.js';
import { asImage, type Pixels } from '../pixels.js';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** PNG's colour types by the number of channels. */
const COLOUR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2 };
/** PNG's filter "Sub": each byte less the one a pixel to the left. */
const SUB = 1;

/** Encodes an image as PNG, without loss. @param image grey or RGB @throws DataError for other channels */
export function encodePng(image: Pixels): Uint8Array {
  const { width, height, channels, data } = asImage('encodePng', image);
  const colourType = COLOUR_TYPES[channels];
  if (colourType === undefined) throw new DataError('encodePng', `wants 1 or 3 channels; got ${channels}`);
  const row = width * channels;
  const filtered = new Uint8Array((row + 1) * height);
  for (let y = 0; y < height; y++) {
    const at = y * (row + 1);
    filtered[at] = SUB;
    for (let i = 0; i < row; i++) {
      filtered[at + 1 + i] = data[y * row + i] - (i < channels ? 0 : data[y * row + i - channels]);
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colourType, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(filtered)), chunk('IEND')]);
}

/** Length, name, content, and CRC of the last two. */
function chunk(name: string, content: Uint8Array = new Uint8Array(0)): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
