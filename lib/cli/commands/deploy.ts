import { basename, extname } from 'node:path';
import { Command, Option } from 'commander';
import { encodeNetwork } from '../../deploy/graph/file.js';
import { isProduct } from '../../deploy/graph/graph.js';
import type { Requantization } from '../../deploy/lowering/requantize.js';
import { lowerTrained } from '../../train/lowerTrained.js';
import { writeAtomic } from '../../train/node/files.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { formatBytes, Output } from '../output.js';
import { registerReport } from '../registerReport.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { integer } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly out: string;
  readonly requantization: Requantization;
  readonly registerBits?: number;
  readonly json?: boolean;
}

export function deployCommand(): Command {
  const command = new Command('deploy').description('turn a trained network into integers alone, in one file');
  return addBackendOptions(addSubjectOptions(command))
    .requiredOption('--out <file>', 'where the network goes, such as net.a2q.safetensors')
    .addOption(
      new Option(
        '--requantization <mode>',
        'how accumulators become activations: exactly, or by multiplying and shifting',
      )
        .choices(['thresholds', 'fixed'])
        .default('thresholds'),
    )
    .option(
      '--register-bits <R>',
      'list groups of weights that each fit a register of R bits (default: none)',
      integer(2, 32),
    )
    .option('--json', 'machine-readable output')
    .action(deploy);
}

async function deploy(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  await useBackend(flags);
  const { model, checkpoint } = await loadSubject(path);
  const name = basename(flags.out, extname(flags.out)).replace(/\.a2q$/, '');
  const graph = await lowerTrained(model, checkpoint.config, { name, requantization: flags.requantization });
  model.dispose();
  const groups = flags.registerBits === undefined ? null : registerReport(graph, flags.registerBits);
  const bytes = encodeNetwork(graph);
  await writeAtomic(flags.out, bytes);
  const layers = graph.nodes.filter(isProduct);
  const weights = layers.reduce((sum, node) => sum + (graph.tensors.get(node.weights)?.data.length ?? 0), 0);
  out.say(`${flags.out}: ${weights} integer weights of ${layers.length} layers, ${formatBytes(bytes.length)}`);
  for (const note of graph.notes) out.say(`note: ${note}`);
  const errors = graph.nodes.flatMap((node) => (node.op === 'requantize' && node.mode === 'fixed' ? [node.error] : []));
  const error = errors.length > 0 ? Math.max(...errors) : 0;
  if (errors.length > 0) out.say(`fixed point is at most ${error} steps of an activation off, in any layer`);
  if (groups !== null) out.say(groups.text);
  out.result({
    file: flags.out,
    bytes: bytes.length,
    requantization: flags.requantization,
    layers: layers.length,
    weights,
    largestError: error,
    notes: graph.notes,
    registerGroups: groups?.json ?? null,
  });
}
