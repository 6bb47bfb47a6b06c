import { basename, extname } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { readBytes } from '../../data/node/files.js';
import { importNetwork } from '../../deploy/exchange/importNetwork.js';
import { auditGraph } from '../../deploy/graph/audit.js';
import { encodeNetwork } from '../../deploy/graph/file.js';
import { fileExists, writeAtomic } from '../../train/node/files.js';
import { formatBytes, Output } from '../output.js';
import { UsageError } from '../usage.js';

interface Flags {
  readonly out: string;
  readonly inputShape?: readonly number[];
  readonly json?: boolean;
}

export function importCommand(): Command {
  return new Command('import')
    .description('read a quantized network that others trained, from an ONNX file, as integers alone')
    .argument('<file.onnx>', 'Brevitas or QONNX (Quant, MultiThreshold), QCDQ, QDQ, or integer operators')
    .requiredOption('--out <file>', 'where the network goes, such as net.a2q.safetensors')
    .option(
      '--input-shape <C,H,W>',
      'of one input, where the file leaves it open (default: 64 for each open extent)',
      extents,
    )
    .option('--json', 'machine-readable output')
    .action(importFile);
}

function extents(text: string): readonly number[] {
  const parts = text.split(/[,x]/).map(Number);
  if (parts.length <= 7 && parts.every((extent) => Number.isInteger(extent) && extent > 0)) return parts;
  throw new InvalidArgumentError('It must be extents, such as 3,64,64.');
}

async function importFile(file: string, { out: target, inputShape, json }: Flags): Promise<void> {
  const out = new Output(json ?? false);
  if (!(await fileExists(file))) throw new UsageError(`there is no file ${file}`);
  const name = basename(target, extname(target)).replace(/\.a2q$/, '');
  const shape = inputShape ? { inputShape } : {};
  const graph = await importNetwork(await readBytes('import', file), file, { name, ...shape });
  const bytes = encodeNetwork(graph);
  await writeAtomic(target, bytes);
  const { layers } = await auditGraph(graph);
  out.say(`${target}: ${layers.length} layers, ${formatBytes(bytes.length)}`);
  for (const { layer, op, weightBits, input, safeBits } of layers) {
    const inputs = `inputs ${input.low} … ${input.high}`;
    out.say(`  ${layer} (${op}): M ${weightBits}, ${inputs}, smallest safe P ${pc.bold(`${safeBits}`)}`);
  }
  for (const note of graph.notes) out.say(`note: ${note}`);
  out.result({
    ...{ file: target, bytes: bytes.length, source: file },
    layers: layers.map(({ layer, op, weightBits, input, safeBits }) => ({ layer, op, weightBits, input, safeBits })),
    notes: graph.notes,
  });
}
