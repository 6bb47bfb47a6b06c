import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataShape, ModelEntry } from '../../nn/models/entry.js';
import type { LayerFactory } from '../../nn/models/factory.js';
import { Module } from '../../nn/module.js';
import { asOptions, asString } from '../../tensor/argument.js';
import { A2QError, DataError } from '../../tensor/errors.js';
import { checkedConfig } from '../config.js';
import { type BuildOptions, buildModel, type ModelConfig } from '../models.js';
import { fileExists } from './files.js';
import { foreignPlace } from './foreignPlace.js';

/** What the file of a model exports, as default or as `build`. */
export type BuildModel = (make: LayerFactory, shape: DataShape) => Module;

/**
 * A fresh model of a configuration: one of ours by name, or one that a file of the user exports.
 *
 * @param folder the folder that `module` is relative to: the run's
 * @param options.source what will be loaded into it; a model of more weights is refused before it is made
 * @throws DataError if the file is missing, cannot be loaded, exports no function, or its function fails or makes no
 *   Module; and as `buildModel`
 */
export async function openModel(
  config: ModelConfig,
  folder: string,
  options: Pick<BuildOptions, 'source'> = {},
): Promise<Module> {
  asOptions('openModel', options);
  const { module } = asOptions('openModel', config, 'the configuration');
  if (module === undefined) return buildModel(config, options);
  const path = resolve(asString('openModel', 'the folder', folder), asString('openModel', 'module', module));
  checkedConfig('openModel', config, ['shape']);
  const build = await loadBuild(path);
  // The file decides what it can do with the data, so it is of the kind that they are.
  const entry = { kind: config.shape.kind, about: path, build: checked(build, path) } as ModelEntry;
  return buildModel(config, { entry, ...options });
}

async function loadBuild(path: string): Promise<BuildModel> {
  if (!(await fileExists(path))) throw new DataError('module', `there is no file ${path}`);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new DataError('module', `cannot load ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const build = exported['default'] ?? exported['build'];
  if (typeof build === 'function') return build as BuildModel;
  throw new DataError('module', `${path} exports no function, neither as default nor as build`);
}

function checked(build: BuildModel, path: string): BuildModel {
  return (make, shape) => {
    let model: unknown;
    try {
      model = build(make, shape);
    } catch (cause) {
      if (cause instanceof A2QError) throw cause;
      const at = foreignPlace(cause);
      throw new DataError('module', `the function of ${path} failed: ${String(cause)}${at ? `, at ${at}` : ''}`, {
        cause,
      });
    }
    if (model instanceof Module) return model;
    const what = model instanceof Object ? `an object of class ${model.constructor.name}` : String(model);
    throw new DataError('module', `the function of ${path} returned ${what}, not a Module of this a2q.js`);
  };
}
