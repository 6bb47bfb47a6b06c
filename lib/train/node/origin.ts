import { currentBackend } from '../../kernels/registry.js';
import { DataError } from '../../tensor/errors.js';
import { VERSION } from '../../tensor/version.js';
import type { Origin } from '../config.js';
import { type DataSource, fingerprintOf } from './datasets.js';

/** What the last bits of a run on these data, here and now, depend on. @throws DataError for a file of the data */
export async function originOf(source: DataSource): Promise<Origin> {
  const [train, test] = [await fingerprintOf(source, 'train'), await fingerprintOf(source, 'test')];
  return {
    version: VERSION,
    engine: `Node ${process.versions.node} on ${process.arch}`,
    ...machineFacts(currentBackend()),
    ...(train === null || test === null ? {} : { data: { train, test } }),
  };
}

/** SIMD and Winograd tiles of a wasm backend; nothing of others. */
function machineFacts(backend: object): Pick<Origin, 'simd' | 'winograd'> {
  if (!('describe' in backend) || typeof backend.describe !== 'function') return {};
  const { simd, winograd }: { simd?: unknown; winograd?: unknown } = backend.describe();
  return {
    ...(typeof simd === 'string' ? { simd } : {}),
    ...(typeof winograd === 'string' ? { winograd } : {}),
  };
}

/**
 * What changed between two sessions of a run, for people; the last bits differ then.
 * @throws DataError if the data are others
 */
export function originNotes(before: Origin | undefined, now: Origin): string[] {
  if (before === undefined) return ['the run does not say by which data and engine it was begun; they are not checked'];
  const halves = before.data && now.data ? (['train', 'test'] as const) : [];
  const changed = halves.filter((half) => before.data?.[half] !== now.data?.[half]);
  if (changed.length > 0) {
    const which = changed.map((half) => (half === 'train' ? 'training' : 'test')).join(' and ');
    throw new DataError(
      'resume',
      `the ${which} images are not those that the run was begun with (names, sizes or contents differ); ` +
        'give back the old ones, or begin a new run from its weights (--init-from)',
    );
  }
  const keys = ['version', 'engine', 'simd', 'winograd'] as const;
  return keys.flatMap((key) =>
    before[key] === now[key] ? [] : [`${key} is ${now[key]}, was ${before[key]}: last bits differ from here on`],
  );
}
