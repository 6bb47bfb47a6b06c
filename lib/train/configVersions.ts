import { DataError } from '../tensor/errors.js';

/** Configuration files of earlier versions, brought to the form of today. */

type Fields = Readonly<Record<string, unknown>>;

/** @throws DataError if it says to be of a version that is not known; whatever else is wrong is left as it is */
export function upgradeConfig(value: unknown, source: string): unknown {
  if (!isFields(value) || value['version'] === undefined || value['version'] === 2) return value;
  if (value['version'] === 1) return fromVersion1(value);
  throw new DataError('config', `${source}: version ${value['version']} is not known; known are 1 and 2`);
}

/** Version 1 wrote null for what is absent, gave every optimizer a momentum and did not name the kind of data. */
function fromVersion1(old: Fields): Fields {
  const { optimizer, shape, start, ...rest } = withoutNulls(old) as Fields;
  return {
    ...rest,
    version: 2,
    start: isFields(start) ? { reestimationSamples: 0, ...start } : start,
    optimizer: isFields(optimizer) ? withoutMomentum(optimizer) : optimizer,
    shape: isFields(shape) ? { kind: 'classes' in shape ? 'labels' : 'images', ...shape } : shape,
  };
}

function withoutMomentum({ momentum, ...optimizer }: Fields): Fields {
  return optimizer['type'] === 'sgd' ? { ...optimizer, momentum } : optimizer;
}

/** @param depth how many objects lie within each other in such a file; what lies deeper is refused later */
function withoutNulls(value: unknown, depth = 3): unknown {
  if (!isFields(value) || depth === 0) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field, depth - 1)]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
