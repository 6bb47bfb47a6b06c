import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Overflow } from '../../deploy/accumulator/register.js';
import type { Summation } from '../../deploy/accumulator/summation.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import type { LaboratoryOptions, LaboratoryTally } from '../../deploy/laboratory/laboratory.js';
import { watchedLayers } from '../../deploy/laboratory/layers.js';
import { asUsage, integer, UsageError } from '../usage.js';

/** The options that name simulated registers. */
export interface RegisterFlags {
  /** P, or several of them, the widest first. */
  readonly accBits?: readonly number[];
  readonly innerBits?: number;
  readonly overflow?: Overflow | 'all';
  readonly order?: Summation;
  readonly layers?: readonly string[] | 'all';
  readonly report?: string;
}

export function addRegisterOptions(command: Command): Command {
  return command
    .option(
      '--acc-bits <P>',
      'sum layers in simulated registers of P bits; P..Q tries every width (default: no register, exact sums)',
      widths,
    )
    .addOption(
      new Option(
        '--overflow <mode>',
        'what a register does that cannot hold a sum; all compares these (default: wrap; of several P, all)',
      ).choices(['exact', 'wrap', 'saturate', 'all']),
    )
    .option('--order <order>', 'how sums are formed: sequential, pairwise or tiled:T (default: sequential)', summation)
    .option(
      '--inner-bits <P>',
      'of registers of tiles, behind which sums are as wide as these ask for (default: one register, of --acc-bits)',
      integer(2, 32),
    )
    .option('--layers <names>', 'which layers, separated by commas, or all (default: the constrained ones)', names)
    .option('--report <file>', 'draw the metric against P, and each layer’s sums, as a page (default: none)');
}

/** `12` or `8..20`. */
function widths(text: string): number[] {
  const [from, to = from, ...rest] = text.split('..').map(integer(2, 32));
  if (rest.length > 0 || from > to) throw new InvalidArgumentError('It must be P, or P..Q with P below Q.');
  return Array.from({ length: to - from + 1 }, (_, i) => to - i);
}

function summation(text: string): Summation {
  if (text === 'sequential' || text === 'pairwise') return text;
  const [word, tile, ...rest] = text.split(':');
  if (word !== 'tiled' || tile === undefined || rest.length > 0) {
    throw new InvalidArgumentError('It must be sequential, pairwise or tiled:T.');
  }
  return { tile: integer(1)(tile) };
}

const names = (text: string): string[] | 'all' => (text === 'all' ? text : text.split(','));

/** Whether widths and modes are to be compared. */
export function isSweep({ accBits = [], overflow, report }: RegisterFlags): boolean {
  return accBits.length > 1 || overflow === 'all' || report !== undefined;
}

/**
 * The registers to run a network in; null if none are asked for.
 * @throws UsageError if the options do not go together, or the network has no such layer
 */
export async function registersFor(graph: IntegerGraph, flags: RegisterFlags): Promise<LaboratoryOptions | null> {
  const { accBits, innerBits, overflow, order, layers } = flags;
  if (accBits === undefined && innerBits === undefined) {
    const alone = Object.entries({ overflow, order, layers, report: flags.report }).find(([, value]) => value);
    if (alone) throw new UsageError(`--${alone[0]} goes with --acc-bits`);
    return null;
  }
  if (innerBits !== undefined && typeof order !== 'object') {
    throw new UsageError('--inner-bits goes with --order tiled:T');
  }
  if (isSweep(flags) && (accBits === undefined || innerBits !== undefined)) {
    throw new UsageError('a comparison of widths goes by --acc-bits alone, without --inner-bits');
  }
  if (isSweep(flags) && overflow !== undefined && overflow !== 'all') {
    throw new UsageError(`a comparison shows all that registers do: leave out --overflow ${overflow}`);
  }
  await asUsage(() => watchedLayers(graph, layers));
  const tiled = typeof order === 'object' && innerBits !== undefined ? { ...order, innerBits } : order;
  return {
    overflow: overflow === undefined || overflow === 'all' ? 'wrap' : overflow,
    ...(accBits === undefined ? {} : { accumulatorBits: accBits[0] }),
    ...(tiled === undefined ? {} : { summation: tiled }),
    ...(layers === undefined ? {} : { layers }),
  };
}

/** What happened in the registers, a line for each layer. */
export function describeTallies(layers: readonly LaboratoryTally[], overflow: Overflow): string[] {
  const count = (value: number) => value.toLocaleString('en-US');
  const kind = { exact: 'unlimited, held against', wrap: 'wrapping', saturate: 'saturating' }[overflow];
  return layers.map((each) => {
    const inner = each.innerBits === null ? '' : `${each.innerBits}-bit tiles in `;
    const what = `${each.layer}: ${kind} ${inner}${each.accumulatorBits} bits`;
    if (each.proved) return `${what}: none of ${count(each.sums)} partial sums can overflow, whatever the input`;
    const affected = `${count(each.outputsAffected)} of ${count(each.outputs)} outputs`;
    return `${what}: ${count(each.overflows)} of ${count(each.sums)} partial sums overflowed, in ${affected}`;
  });
}
