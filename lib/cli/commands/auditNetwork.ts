import { basename } from 'node:path';
import pc from 'picocolors';
import { readBytes } from '../../data/node/files.js';
import type { GraphLayerAudit, RegisterAudit, RegisterUse } from '../../deploy/graph/audit.js';
import { certifyNetwork, formatNetworkCertificate, type NetworkCertificate } from '../../deploy/graph/certificate.js';
import { fileExists, writeAtomic } from '../../train/node/files.js';
import { type Output, percent } from '../output.js';
import { type Column, fittedTable, runLengths, terminalWidth } from '../table.js';
import { EXIT, UsageError } from '../usage.js';

interface Flags {
  readonly out?: string;
  readonly witness?: boolean;
}

/** `a2q audit --model`: exit code 1 if the network claims a P that some input overflows. */
export async function auditNetwork(out: Output, path: string, flags: Flags): Promise<void> {
  if (!(await fileExists(path))) throw new UsageError(`--model: there is no file ${path}`);
  const certificate = await certifyNetwork(await readBytes('audit', path), basename(path));
  const target = flags.out ?? null;
  if (target !== null) await writeAtomic(target, formatNetworkCertificate(certificate));
  say(out, certificate, flags.witness ?? false);
  if (target !== null) out.say(`certificate: ${target}`);
  out.result({ ...certificate, certificate: target });
  if (certificate.layers.some(({ proved }) => proved === false)) process.exitCode = EXIT.failure;
}

const COLUMNS: readonly Column<GraphLayerAudit>[] = [
  { head: 'layer', goes: 0, of: ({ layer }) => layer },
  { head: 'M', goes: 3, of: ({ weightBits }) => weightBits },
  { head: 'inputs', goes: 2, of: ({ input }) => `${input.low} … ${input.high}` },
  { head: 'K', goes: 3, of: ({ length }) => length },
  { head: 'P', goes: 0, of: ({ accumulatorBits }) => accumulatorBits ?? '' },
  { head: 'safe P', goes: 0, of: ({ safeBits }) => safeBits },
  { head: 'margin', goes: 4, of: ({ margin }) => margin ?? '' },
  { head: 'worst sums', goes: 1, of: ({ min, max }) => `${min} … ${max}` },
  { head: 'l1', goes: 2, of: ({ l1, budget }) => (budget === null ? l1 : `${l1} of ${budget}`) },
  { head: 'zeros', goes: 4, of: ({ zeros, length, channels }) => percent(zeros / (length * channels)) },
  { head: 'verdict', goes: 0, of: verdict },
];

function verdict({ proved }: GraphLayerAudit): string {
  if (proved === null) return 'no claim';
  return proved ? pc.green('proved') : pc.red('OVERFLOWS');
}

function say(out: Output, { layers, registers, proved, safeBits }: NetworkCertificate, full: boolean): void {
  out.say(fittedTable(COLUMNS, layers, terminalWidth(out)));
  for (const layer of layers) if (layer.proved !== null) out.say(witnessText(layer, full));
  for (const use of ['values', 'comparison', 'scaling'] as const) {
    const held = registers.filter(({ holds }) => holds === use);
    if (held.length > 0) out.say(registerText(use, held));
  }
  if (safeBits === null) out.say('no layer claims an accumulator; safe P is what each needs');
  else out.say(proved ? 'proved: no accumulator of the bits it claims can overflow' : pc.red('NOT proved'));
}

/** The worst input of the channel that needs the widest register. */
function witnessText({ layer, worst }: GraphLayerAudit, full: boolean): string {
  const { channel, max, min, maxInput, minInput } = worst;
  if (max === 0 && min === 0) return `${layer}: every weight is 0, so there is nothing to overflow`;
  const isMax = max >= -min;
  const list = runLengths(isMax ? maxInput : minInput, full ? Number.POSITIVE_INFINITY : undefined);
  return `${layer} channel ${channel}: worst sum ${isMax ? max : min} at inputs [${list}]`;
}

const USES: Readonly<Record<Exclude<RegisterUse, 'products'>, string>> = {
  values: 'residual adds and pools sum',
  comparison: 'accumulators are compared with thresholds (biases are in these)',
  scaling: 'accumulators are multiplied, and offsets (biases) added,',
};

function registerText(use: keyof typeof USES, held: readonly RegisterAudit[]): string {
  const widest = held.reduce((most, each) => (each.bits > most.bits ? each : most));
  return `${USES[use]} in ${widest.bits} bits at most: ${widest.node}, ${widest.min} … ${widest.max}`;
}
