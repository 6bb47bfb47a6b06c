import t from 'tap';
import { crc32 } from '../../lib/tensor/crc32.js';
import { Random } from '../../lib/tensor/random.js';

t.test('check values', async (t) => {
  const of = (text: string) => crc32(new TextEncoder().encode(text));
  t.equal(of('123456789'), 0xcbf43926, 'the catalogue’s check value');
  t.equal(of('IEND'), 0xae426082, 'the last four bytes of every PNG');
  t.equal(of(''), 0);
});

t.test('every flipped bit is seen, at every length', async (t) => {
  const random = new Random(3);
  const bytes = Uint8Array.from({ length: 37 }, () => random.integer(256));
  let unseen = 0;
  for (let length = 1; length <= bytes.length; length++) {
    const whole = crc32(bytes.subarray(0, length));
    for (let bit = 0; bit < length * 8; bit++) {
      const flipped = bytes.slice(0, length);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      if (crc32(flipped) === whole) unseen++;
    }
  }
  t.equal(unseen, 0);
});
