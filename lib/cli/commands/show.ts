import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { type NodeFacts, nodeFacts } from '../../deploy/picture/nodeFacts.js';
import { writeAtomic } from '../../train/node/files.js';
import { networkPage } from '../networkPage.js';
import { readNetwork } from '../networkSource.js';
import { Output, percent } from '../output.js';

interface Flags {
  readonly out?: string;
  readonly json?: boolean;
}

export function showCommand(): Command {
  return new Command('show')
    .description(
      'what is in a network of integers: layers, shapes, M, N, P, budgets, thresholds, zeros; as a picture too',
    )
    .argument('<file>', 'a network that a2q deploy or a2q import wrote, or an ONNX file')
    .option('--out <file.html>', 'write a page with a picture of it (default: none)')
    .option('--json', 'machine-readable output')
    .action(show);
}

async function show(file: string, flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const graph = await readNetwork(file);
  const nodes = await nodeFacts(graph);
  if (flags.out !== undefined) await writeAtomic(flags.out, networkPage(graph, nodes));
  out.say(tableOf(nodes));
  out.say(summaryOf(nodes));
  for (const note of graph.notes) out.say(`note: ${note}`);
  if (flags.out !== undefined) out.say(`the picture is in ${flags.out}`);
  out.result({ file, name: graph.name, input: graph.input, task: graph.task, nodes, notes: graph.notes });
}

function tableOf(nodes: readonly NodeFacts[]): string {
  const columns = ['value', 'operation', 'output', 'M', 'N', 'P', 'safe P', 'used', 'zeros'];
  const table = new Table({ head: columns, style: { head: [], border: [], compact: true }, colAligns: ALIGNED });
  for (const { name, label, shape, layer, grid } of nodes) {
    const does = grid ? describeGrid(grid) : label;
    const { accumulatorBits: claimed = null } = layer ?? {};
    const facts = layer
      ? [layer.weightBits, layer.inputs, claimed ?? '–', layer.safeBits, percent(layer.used), percent(layer.zeros)]
      : ['', '', '', '', '', ''];
    const holds = layer === null || claimed === null || layer.safeBits <= claimed;
    table.push([name, does, shape.join('×'), ...facts.map((fact) => (holds ? `${fact}` : pc.red(`${fact}`)))]);
  }
  return table.toString();
}

const ALIGNED = ['left', 'left', ...new Array<'right'>(7).fill('right')] as ('left' | 'right')[];

function describeGrid({ integers, thresholds, rows }: NonNullable<NodeFacts['grid']>): string {
  const channels = rows > 1 ? ` × ${rows}` : '';
  return thresholds === null ? `→ ${integers}, shift${channels}` : `→ ${integers}, ${thresholds}${channels} thresholds`;
}

function summaryOf(nodes: readonly NodeFacts[]): string {
  const layers = nodes.flatMap(({ layer }) => (layer ? [layer] : []));
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  const zeros = layers.reduce((sum, layer) => sum + layer.weights * layer.zeros, 0);
  const widest = layers.reduce((most, { safeBits }) => Math.max(most, safeBits), 0);
  const share = percent(zeros / Math.max(1, weights));
  return `${layers.length} layers, ${weights} weights, ${share} zeros; widest safe P ${widest}`;
}
