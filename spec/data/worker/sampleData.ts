import { superResolutionPairs } from '../../../lib/data/bsd300.js';
import type { Dataset } from '../../../lib/data/dataset.js';
import { glyphs } from '../../../lib/data/glyphs.js';
import { identityNormalisation } from '../../../lib/data/normalise.js';
import { pixels } from '../../../lib/data/pixels.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';

/** What the worker of these specs can be asked to open. */
export type SampleData =
  /** 30 glyphs. */
  | { readonly kind: 'glyphs' }
  /** Seven noisy photographs, to be enlarged three times. */
  | { readonly kind: 'photographs' }
  /** Label = input = index, with misfortunes. */
  | ({ readonly kind: 'counting'; readonly length: number } & Misfortunes);

export interface Misfortunes {
  /** Values an input has. Default 1. */
  readonly volume?: number;
  /** One int32 a sample, of shared memory: how often it was made. */
  readonly made?: SharedArrayBuffer;
  /** Something happens when this sample is to be made. */
  readonly at?: number;
  readonly what?: 'corrupt' | 'bug' | 'exit' | 'late crash';
}

export function openSample(data: SampleData): Dataset {
  if (data.kind === 'glyphs') return glyphs({ length: 30, normalise: false });
  if (data.kind === 'counting') return counting(data);
  const random = new Random(4);
  const photographs = Array.from({ length: 7 }, (_, i) => {
    const [width, height] = [20 + i, 30 - i];
    return pixels(
      width,
      height,
      3,
      Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)),
    );
  });
  return superResolutionPairs(photographs, { factor: 3, crop: 12 });
}

function counting({ length, volume = 1, made, at, what }: SampleData & { kind: 'counting' }): Dataset {
  return {
    kind: 'labels',
    name: 'counting',
    length,
    inputShape: [1, 1, volume],
    normalisation: identityNormalisation(1),
    classes: ['a'],
    write(index, input) {
      if (made) Atomics.add(new Int32Array(made), index, 1);
      if (index === at && what) misfortune(what);
      input.fill(index);
      return index;
    },
  };
}

function misfortune(what: NonNullable<Misfortunes['what']>): void {
  switch (what) {
    case 'corrupt':
      throw new DataError('counting', 'a.png: truncated', { cause: new RangeError('end of file') });
    case 'bug':
      throw new TypeError('undefined is not a dataset');
    case 'exit':
      process.exit(7);
      break;
    case 'late crash':
      setTimeout(() => {
        throw new Error('out of luck');
      });
  }
}
