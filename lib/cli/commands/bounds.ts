import Table from 'cli-table3';
import { Command } from 'commander';
import { BOUND_KINDS } from '../../quant/bounds.js';
import { answerBounds, type BoundsAnswer } from '../../quant/boundsAnswer.js';
import { Output, percent } from '../output.js';
import { asUsage, integer } from '../usage.js';

interface BoundsFlags {
  readonly weightBits: number;
  readonly actBits: number;
  readonly k: number;
  readonly signed?: boolean;
  readonly accBits?: number;
  readonly json?: boolean;
}

export function boundsCommand(): Command {
  return new Command('bounds')
    .description('answer what accumulator a dot product needs, and what a given one allows')
    .requiredOption('--weight-bits <M>', 'bits of the weights', integer(2, 32))
    .requiredOption('--act-bits <N>', 'bits of the inputs', integer(1, 32))
    .requiredOption('--k <K>', 'terms of one dot product', integer(1))
    .option('--signed', 'inputs are two’s complement; else they count from 0')
    .option('--acc-bits <P>', 'bits of the accumulator (default: none, only widths are answered)', integer(1, 32))
    .option('--json', 'machine-readable output')
    .action(bounds);
}

async function bounds(flags: BoundsFlags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const { weightBits, actBits, k, signed = false, accBits } = flags;
  const answer = await asUsage(() =>
    answerBounds({
      length: k,
      weightBits,
      input: { bits: actBits, signed },
      ...(accBits === undefined ? {} : { accumulatorBits: accBits }),
    }),
  );
  say(out, answer, flags);
  out.result({ weightBits, actBits, k, signed, accumulatorBits: accBits ?? null, ...answer });
}

function say(out: Output, answer: BoundsAnswer, { weightBits, actBits, k, signed, accBits }: BoundsFlags): void {
  out.say(`K = ${k}, M = ${weightBits}, N = ${actBits} ${signed ? 'signed' : 'unsigned'}`);
  out.say(`data-type bound: P* = ${answer.dataTypeBits} bits are enough for any weights`);
  out.say(`A2Q+ allows ${answer.gain.toFixed(3)} times the l1 norm of A2Q`);
  const atP = accBits === undefined ? [] : [`l1 budget at P = ${accBits}`, 'mean |q|', 'zeros at least'];
  const table = new Table({
    style: { head: [], border: [] },
    head: ['bound', 'smallest P', 'P without effect', ...atP],
  });
  for (const kind of BOUND_KINDS) {
    const { smallestBits, unconstrainedBits, atP: budget } = answer.kinds[kind];
    const cells = budget
      ? [budget.budget.toFixed(2), budget.meanMagnitude.toFixed(3), percent(budget.minSparsity)]
      : ['no weight fits', '', ''];
    table.push([kind, smallestBits, unconstrainedBits, ...(accBits === undefined ? [] : cells)]);
  }
  out.say(table.toString());
}
