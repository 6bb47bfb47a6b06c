import { readdir } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { type ExportFormat, FORMATS } from '../../deploy/exchange/format.js';
import { type IntegerLayer, integerLayers } from '../../deploy/exchange/integerLayers.js';
import { DataError } from '../../tensor/errors.js';
import { writeAtomic } from '../../train/node/files.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { Output } from '../output.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly format: string;
  readonly out: string;
  readonly json?: boolean;
}

/** @param called whether the command line is for it: only then are the formats looked for and read */
export async function exportCommand(called: boolean): Promise<Command> {
  const names = called ? await builtIn() : [];
  const formats = await Promise.all(names.map(async (name) => `${name}: ${(await formatNamed(name, names)).about}`));
  const command = new Command('export').description('write the integers of a trained network for other programs');
  return addBackendOptions(addSubjectOptions(command))
    .requiredOption('--format <name>', `${names.join(', ')}, or a module of your own (./format.mjs)`)
    .requiredOption('--out <file>', 'where to write')
    .option('--json', 'machine-readable output')
    .addHelpText('after', `\nFormats:\n${formats.map((line) => `  ${line}`).join('\n')}`)
    .action((flags: Flags) => exportRun(flags, names));
}

async function exportRun(flags: Flags, names: readonly string[]): Promise<void> {
  const out = new Output(flags.json ?? false);
  const format = await formatNamed(flags.format, names);
  const path = await subjectPath(flags);
  await useBackend(flags);
  const { model } = await loadSubject(path);
  const layers = await integerLayers(model);
  model.dispose();
  const name = basename(flags.out, extname(flags.out));
  await writeAtomic(flags.out, encode(format, layers, name));
  const weights = layers.reduce((sum, layer) => sum + layer.weights.length, 0);
  out.say(`${flags.out}: ${weights} integer weights of ${layers.length} layers`);
  out.result({ file: flags.out, format: flags.format, layers: layers.length, weights });
}

/** What a format makes of the layers. @throws DataError if it fails, as one of a user's may, or makes no file */
function encode(format: ExportFormat, layers: readonly IntegerLayer[], name: string): Uint8Array | string {
  let file: unknown;
  try {
    file = format.encode(layers, name);
  } catch (cause) {
    throw new DataError('export', `the format cannot encode these layers: ${String(cause)}`, { cause });
  }
  if (typeof file === 'string' || file instanceof Uint8Array) return file;
  throw new DataError('export', 'encode must return a string or a Uint8Array');
}

async function builtIn(): Promise<string[]> {
  const files = await readdir(fileURLToPath(FORMATS));
  return files.filter((file) => file.endsWith('.js')).map((file) => basename(file, '.js'));
}

/** @throws UsageError if there is no such format, or the module exports none */
async function formatNamed(name: string, names: readonly string[]): Promise<ExportFormat> {
  const isBuiltIn = names.includes(name);
  const url = isBuiltIn ? new URL(`${name}.js`, FORMATS) : pathToFileURL(resolve(name));
  if (!isBuiltIn && !/\.m?js$/.test(name)) {
    throw new UsageError(`--format: there is no '${name}'; choose one of ${names.join(', ')}`);
  }
  const { default: format } = await load(url.href, name);
  if (typeof format?.encode !== 'function') {
    throw new UsageError(`--format: ${name} has no default export with an encode function`);
  }
  return format;
}

async function load(url: string, name: string): Promise<{ readonly default?: ExportFormat }> {
  try {
    return (await import(url)) as { readonly default?: ExportFormat };
  } catch (error) {
    throw new UsageError(`--format: ${name} cannot be loaded: ${error instanceof Error ? error.message : error}`);
  }
}
