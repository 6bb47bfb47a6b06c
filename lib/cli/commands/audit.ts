import { basename, join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Audit, auditModel, type LayerAudit } from '../../deploy/audit.js';
import { METHODS } from '../../quant/methods.js';
import type { RunConfig } from '../../train/config.js';
import { modelName } from '../../train/models.js';
import { writeAtomic } from '../../train/node/files.js';
import { RUN_FILES } from '../../train/node/runFolder.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { Output, percent } from '../output.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { EXIT, UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags {
  readonly out?: string;
  readonly witness?: boolean;
  readonly json?: boolean;
}

/** Runs of equal inputs of a witness shown unless all are asked for. */
const SHOWN_RUNS = 12;

export function auditCommand(): Command {
  const command = new Command('audit').description('prove from the integers alone that no accumulator can overflow');
  return addBackendOptions(addSubjectOptions(command))
    .option('--witness', 'print the worst inputs in full')
    .option('--out <file>', 'where to write the certificate (default: certificate.json in the run’s folder)')
    .option('--json', 'machine-readable output')
    .action(audit);
}

async function audit(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  await useBackend(flags);
  const { model, checkpoint } = await loadSubject(path);
  const { config } = checkpoint;
  if (METHODS[config.method].weights === null) {
    throw new UsageError(`${path} is a float model; it has no integers to audit`);
  }
  const result = await auditModel(model);
  model.dispose();
  const certificate = makeCertificate(result, config, path);
  const target = flags.out ?? (flags.run === undefined ? null : join(flags.run, RUN_FILES.certificate));
  if (target !== null) await writeAtomic(target, `${JSON.stringify(certificate, null, 2)}\n`);
  say(out, result, flags.witness ?? false, target);
  out.result({ ...certificate, certificate: target });
  if (result.layers.some(({ proved }) => proved === false)) process.exitCode = EXIT.failure;
}

/** What was proved, of what, in a form that another program can check again. */
function makeCertificate(audit: Audit, config: RunConfig, path: string) {
  const { dataset, method, weightBits = null, actBits = null, accumulatorBits = null } = config;
  return {
    format: 'a2q-certificate',
    version: 1,
    checkpoint: basename(path),
    ...{ model: modelName(config), dataset: dataset.name, method, weightBits, actBits, accumulatorBits },
    statement:
      'With integer weights of this hash and any inputs of this format, every partial sum of a channel, in every ' +
      'order, lies within min … max; P bits hold that where proved is true. Biases are added after the accumulator.',
    ...audit,
  };
}

function say(out: Output, audit: Audit, full: boolean, target: string | null): void {
  const table = new Table({
    style: { head: [], border: [] },
    head: ['layer', 'W', 'A', 'K', 'bound', 'P', 'safe P', 'worst sums', 'l1 budget used', 'zeros', 'verdict'],
  });
  for (const layer of audit.layers) {
    table.push([
      layer.layer,
      layer.weightBits,
      `${layer.inputSigned ? 's' : 'u'}${layer.inputBits}`,
      layer.length,
      layer.bound ?? '',
      layer.accumulatorBits ?? '',
      layer.safeBits,
      `${layer.min} … ${layer.max}`,
      layer.budgetUsed === null ? '' : percent(layer.budgetUsed),
      percent(layer.sparsity),
      verdict(layer),
    ]);
  }
  out.say(table.toString());
  for (const layer of audit.layers) if (layer.proved !== null) out.say(witnessText(layer, full));
  if (audit.safeBits === null) out.say('no layer was trained for an accumulator; safe P is what each would need');
  else out.say(audit.proved ? `proved: no accumulator of ${claims(audit)} bits can overflow` : pc.red('NOT proved'));
  if (target !== null) out.say(`certificate: ${target}`);
}

function verdict({ proved }: LayerAudit): string {
  if (proved === null) return 'no claim';
  return proved ? pc.green('proved') : pc.red('NOT PROVED');
}

function claims({ layers }: Audit): string {
  const bits = layers.flatMap(({ accumulatorBits }) => (accumulatorBits === null ? [] : [accumulatorBits]));
  return [...new Set(bits)].sort((a, b) => a - b).join(' and ');
}

/** The worst input of the tightest channel, and what the register did with it. */
function witnessText({ layer, worst, trial, safeBits }: LayerAudit, full: boolean): string {
  const isMax = worst.max >= -worst.min;
  const inputs = isMax ? worst.maxInput : worst.minInput;
  const list = runLengths(inputs, full ? Number.POSITIVE_INFINITY : SHOWN_RUNS);
  const outcome =
    trial === null
      ? 'not tried'
      : `${trial.reached ? 'reached' : 'NOT reached'} with ${trial.overflows} overflows ` +
        `on ${trial.accumulatorBits} bits, ` +
        `${trial.oneBitLessOverflows ? 'overflows' : 'does NOT overflow'} on one bit less than safe P ${safeBits}`;
  const sum = isMax ? worst.max : worst.min;
  return `${layer} channel ${worst.channel}: worst sum ${sum} at inputs [${list}]; ${outcome}`;
}

/** `15 0×3 15 …`: equal neighbours together, the first `most` of them. */
function runLengths(values: readonly number[], most: number): string {
  const runs: { value: number; count: number }[] = [];
  for (const value of values) {
    const last = runs.at(-1);
    if (last?.value === value) last.count += 1;
    else runs.push({ value, count: 1 });
  }
  const shown = runs.slice(0, most).map(({ value, count }) => (count === 1 ? `${value}` : `${value}×${count}`));
  return [...shown, ...(runs.length > shown.length ? ['…'] : [])].join(' ');
}
