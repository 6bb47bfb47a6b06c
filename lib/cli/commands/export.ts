import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command, Option } from 'commander';
import { type ExportFormat, type FileContent, FORMATS, type FormatOptions } from '../../deploy/exchange/format.js';
import { decodeNetwork } from '../../deploy/graph/file.js';
import { type IntegerGraph, isProduct } from '../../deploy/graph/graph.js';
import { A2QError, DataError } from '../../tensor/errors.js';
import { lowerTrained } from '../../train/lowerTrained.js';
import { fileExists, writeAtomic } from '../../train/node/files.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { Output } from '../output.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly model?: string;
  readonly format: string;
  readonly out: string;
  readonly opName: FormatOptions['opName'];
  readonly fused?: boolean;
  readonly json?: boolean;
}

/** @param called whether the command line is for it: only then are the formats looked for and read */
export async function exportCommand(called: boolean): Promise<Command> {
  const names = called ? await builtIn() : [];
  const formats = await Promise.all(names.map(async (name) => `${name}: ${(await formatNamed(name, names)).about}`));
  const command = new Command('export').description('write a trained network, as integers, for other programs');
  return addBackendOptions(addSubjectOptions(command))
    .option('--model <file>', 'a network that a2q deploy made, in place of a run')
    .requiredOption('--format <name>', `${names.join(', ')}, or a module of your own (./format.mjs)`)
    .requiredOption('--out <file>', 'where to write')
    .addOption(
      new Option('--op-name <name>', "what qonnx calls its quantizer: QONNX 1's name is IntQuant, all tools read Quant")
        .choices(['Quant', 'IntQuant'])
        .default('Quant'),
    )
    .option('--fused', 'qcdq, qdq: round biases so that runtimes fuse layers; activations may be a step off')
    .option('--json', 'machine-readable output')
    .addHelpText('after', `\nFormats:\n${formats.map((line) => `  ${line}`).join('\n')}`)
    .action((flags: Flags) => exportRun(flags, names));
}

async function exportRun(flags: Flags, names: readonly string[]): Promise<void> {
  const out = new Output(flags.json ?? false);
  const format = await formatNamed(flags.format, names);
  const name = basename(flags.out, extname(flags.out));
  const graph = await openGraph(flags, name);
  const options = { name, opName: flags.opName, fused: flags.fused ?? false };
  const files = [...encode(format, graph, options)].map(([extension, content]) => {
    return [extension === '' ? flags.out : withExtension(flags.out, extension), content] as const;
  });
  for (const [file, content] of files) await writeAtomic(file, content);
  const layers = graph.nodes.filter(isProduct);
  const weights = layers.reduce((sum, node) => sum + (graph.tensors.get(node.weights)?.data.length ?? 0), 0);
  const written = files.map(([file]) => file);
  out.say(`${written.join(', ')}: ${weights} integer weights of ${layers.length} layers`);
  for (const note of graph.notes) out.say(`note: ${note}`);
  out.result({ files: written, format: flags.format, layers: layers.length, weights, notes: graph.notes });
}

/** The network that is meant: a file of integers, or a run that is lowered here. */
async function openGraph(flags: Flags, name: string): Promise<IntegerGraph> {
  const { model: file, run, checkpoint } = flags;
  if (file !== undefined) {
    if (run !== undefined || checkpoint !== undefined) throw new UsageError('--model stands in place of a run');
    if (!(await fileExists(file))) throw new UsageError(`--model: there is no file ${file}`);
    return decodeNetwork(await readFile(file), file);
  }
  if (run === undefined && checkpoint === undefined) {
    throw new UsageError('name --run FOLDER, --checkpoint FILE or --model FILE');
  }
  const path = await subjectPath(flags);
  await useBackend(flags);
  const trained = await loadSubject(path);
  const graph = await lowerTrained(trained.model, trained.checkpoint.config, { name });
  trained.model.dispose();
  return graph;
}

const withExtension = (path: string, extension: string) =>
  `${path.slice(0, path.length - extname(path).length)}${extension}`;

/** What a format makes of a network. @throws DataError if it fails, as one of a user's may, or makes no files */
function encode(format: ExportFormat, graph: IntegerGraph, options: FormatOptions): ReadonlyMap<string, FileContent> {
  let made: unknown;
  try {
    made = format.encode(graph, options);
  } catch (cause) {
    if (cause instanceof A2QError) throw cause;
    throw new DataError('export', `the format cannot encode this network: ${String(cause)}`, { cause });
  }
  const files = made instanceof Map ? made : new Map<unknown, unknown>([['', made]]);
  const isContent = (value: unknown) => typeof value === 'string' || value instanceof Uint8Array;
  if (files.size > 0 && [...files].every(([key, value]) => typeof key === 'string' && isContent(value))) return files;
  throw new DataError('export', 'encode must return a string or a Uint8Array, or a Map of them by extension');
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
