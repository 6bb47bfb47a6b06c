import { basename, join } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { release } from '../../data/batchSource.js';
import { type Audit, auditModel, type LayerAudit } from '../../deploy/audit.js';
import { engineOf } from '../../kernels/engine.js';
import type { Module } from '../../nn/module.js';
import { METHODS } from '../../quant/methods.js';
import { zeros } from '../../tensor/create.js';
import { currentDevice } from '../../tensor/current.js';
import { ShapeError } from '../../tensor/errors.js';
import { dispose } from '../../tensor/storage.js';
import { VERSION } from '../../tensor/version.js';
import { formatCertificate, makeCertificate } from '../../train/certificate.js';
import type { RunConfig } from '../../train/config.js';
import type { DataSource } from '../../train/node/datasets.js';
import { writeAtomic } from '../../train/node/files.js';
import { openBatches } from '../../train/node/openBatches.js';
import { RUN_FILES } from '../../train/node/runFolder.js';
import { inputsOf } from '../../train/prepare.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { Output, percent } from '../output.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { locateTestData } from '../subjectData.js';
import { type Column, fittedTable, runLengths, terminalWidth } from '../table.js';
import { EXIT, givenOptions, integer, UsageError } from '../usage.js';
import { auditNetwork } from './auditNetwork.js';

interface Flags extends SubjectFlags, BackendFlags, DataFlags {
  readonly model?: string;
  readonly data?: boolean;
  readonly images?: number;
  readonly out?: string;
  readonly witness?: boolean;
  readonly json?: boolean;
}

/** What goes with `--model`. */
const OF_NETWORKS = ['--model', '--witness', '--out', '--json'];

/** Images that `--data` runs. */
const IMAGES = 256;

export function auditCommand(): Command {
  const command = new Command('audit').description('prove from the integers alone that no accumulator can overflow');
  return addBackendOptions(addDataOptions(addSubjectOptions(command)))
    .option('--model <file>', 'a network of integers instead of a run, as a2q deploy writes it')
    .option('--data', 'run test images too, and hold what reaches each layer to its grid')
    .option('--images <n>', `how many, with --data (default: ${IMAGES})`, integer(1))
    .option('--witness', 'print the worst inputs in full')
    .option('--out <file>', 'where to write the certificate (default: certificate.json in the run’s folder, if any)')
    .option('--json', 'machine-readable output')
    .action(audit);
}

async function audit(flags: Flags, command: Command): Promise<void> {
  const out = new Output(flags.json ?? false);
  if (flags.model !== undefined) {
    const stray = givenOptions(command).find((option) => !OF_NETWORKS.includes(option));
    if (stray !== undefined) throw new UsageError(`${stray} does not go with --model`);
    return auditNetwork(out, flags.model, flags);
  }
  if (flags.run === undefined && flags.checkpoint === undefined) {
    throw new UsageError('name one of --run FOLDER, --checkpoint FILE or --model FILE');
  }
  if (flags.images !== undefined && !flags.data) throw new UsageError('--images goes with --data');
  const path = await subjectPath(flags);
  await useBackend(flags);
  const { model, checkpoint, bytes, computed } = await loadSubject(path);
  const { config } = checkpoint;
  const source = flags.data ? await locateTestData({ path, checkpoint }, flags, out) : null;
  if (METHODS[config.method].weights === null) {
    throw new UsageError(`${path} is a float model; it has no integers to audit`);
  }
  const result = source ? await auditOnData(model, flags, config, source) : await auditOnBlank(model, config);
  model.dispose();
  const certificate = await makeCertificate(
    result,
    { name: basename(path), bytes, config, integers: checkpoint.integers?.by ?? null },
    { version: VERSION, ...engineOf(currentDevice()) },
  );
  const target = computed.length > 0 ? null : certificatePath(flags);
  if (target !== null) await writeAtomic(target, formatCertificate(certificate));
  say(out, result, flags.witness ?? false, target);
  if (computed.length > 0 && certificatePath(flags) !== null) {
    out.say(`no certificate: ${path} stores no integers of ${computed.join(', ')} that it could be checked against`);
  }
  out.result({ ...certificate, certificate: target });
  if (result.safeBits !== null && !result.proved) process.exitCode = EXIT.failure;
}

/** Where the certificate goes; null if nowhere was named. */
function certificatePath({ out, run }: Flags): string | null {
  return out ?? (run === undefined ? null : join(run, RUN_FILES.certificate));
}

/** Sides of the blank image, at most: what a picture of any size can be given to is followed on a small one. */
const BLANK_SIDE = 64;

/**
 * A forward pass of one blank image shows where each layer's inputs come from, which is the same for all. A model that
 * refuses a small one has weights for every pixel, so that its file is as large as its pictures.
 */
export async function auditOnBlank(model: Module, { shape }: RunConfig): Promise<Audit> {
  const [channels, ...sides] = shape.inputShape;
  const small = [channels, ...sides.map((side) => Math.min(side, BLANK_SIDE))];
  try {
    return await auditOnZeros(model, small);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return auditOnZeros(model, shape.inputShape);
  }
}

async function auditOnZeros(model: Module, shape: readonly number[]): Promise<Audit> {
  const example = zeros([1, ...shape]);
  try {
    return await auditModel(model, { example });
  } finally {
    dispose(example);
  }
}

async function auditOnData(model: Module, flags: Flags, config: RunConfig, source: DataSource): Promise<Audit> {
  const test = await openBatches(source, 'test', { prefetch: flags.prefetch });
  const part = Math.min(flags.images ?? IMAGES, test.length);
  try {
    return await auditModel(model, inputsOf(test, { batchSize: config.batchSize, part }));
  } finally {
    release(test);
  }
}

const COLUMNS: readonly Column<LayerAudit>[] = [
  { head: 'layer', goes: 0, of: ({ layer }) => layer },
  { head: 'M×N', goes: 1, of: (l) => `${l.weightBits}×${l.inputSigned ? 's' : 'u'}${l.inputBits}` },
  { head: 'inputs', goes: 3, of: seen },
  { head: 'K', goes: 2, of: ({ length }) => length },
  { head: 'bound', goes: 5, of: ({ bound }) => bound ?? '' },
  { head: 'P', goes: 0, of: ({ accumulatorBits }) => accumulatorBits ?? '' },
  { head: 'safe P', goes: 0, of: ({ safeBits }) => safeBits },
  { head: 'worst sums', goes: 1, of: ({ min, max }) => `${min} … ${max}` },
  { head: 'l1 used', goes: 2, of: ({ budgetUsed }) => (budgetUsed === null ? '' : percent(budgetUsed)) },
  { head: 'zeros', goes: 4, of: ({ sparsity }) => percent(sparsity) },
  { head: 'verdict', goes: 0, of: verdict },
];

/** The widest table of layers that fits. */
export function auditTable(layers: readonly LayerAudit[], width: number): string {
  return fittedTable(COLUMNS, layers, width);
}

function say(out: Output, audit: Audit, full: boolean, target: string | null): void {
  out.say(auditTable(audit.layers, terminalWidth(out)));
  for (const layer of audit.layers) if (layer.accumulatorBits !== null) out.say(witnessText(layer, full));
  for (const { layer, problems } of audit.layers) for (const problem of problems) out.say(`${layer}: ${problem}`);
  for (const problem of audit.problems) out.say(problem);
  if (audit.safeBits === null) out.say('no layer was trained for an accumulator; safe P is what each would need');
  else out.say(audit.proved ? `proved: no accumulator of ${claims(audit)} bits can overflow` : pc.red('NOT proved'));
  if (target !== null) out.say(`certificate: ${target}`);
}

/** How the inputs are known, and those met in the data. */
function seen({ inputChecked, inputSeen }: LayerAudit): string {
  return inputSeen === null ? inputChecked : `${inputChecked}\nseen ${inputSeen.low} … ${inputSeen.high}`;
}

function verdict({ proved, accumulatorBits }: LayerAudit): string {
  if (accumulatorBits === null) return 'no claim';
  if (proved === null) return pc.red('not proved');
  return proved ? pc.green('proved') : pc.red('OVERFLOWS');
}

function claims({ layers }: Audit): string {
  const bits = layers.flatMap(({ accumulatorBits }) => (accumulatorBits === null ? [] : [accumulatorBits]));
  return [...new Set(bits)].sort((a, b) => a - b).join(' and ');
}

/** The worst input of the tightest channel, and what the register did with it. */
function witnessText({ layer, worst, trial, safeBits }: LayerAudit, full: boolean): string {
  const isMax = worst.max >= -worst.min;
  const inputs = isMax ? worst.maxInput : worst.minInput;
  const list = runLengths(inputs, full ? Number.POSITIVE_INFINITY : undefined);
  if (worst.max === 0 && worst.min === 0) return `${layer}: every weight is 0, so there is nothing to overflow`;
  const narrow = trial?.oneBitLessOverflows ? 'overflows' : 'does NOT overflow';
  const less = trial === null || trial.oneBitLessOverflows === null ? '' : `, ${narrow} on one bit less than safe P`;
  const outcome =
    trial === null
      ? 'not tried'
      : `${trial.reached ? 'reached' : 'NOT reached'} with ${trial.overflows} overflows ` +
        `on ${trial.accumulatorBits} bits${less === '' ? '' : `${less} ${safeBits}`}`;
  const sum = isMax ? worst.max : worst.min;
  return `${layer} channel ${worst.channel}: worst sum ${sum} at inputs [${list}]; ${outcome}`;
}
