import { basename, join } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { readBytes } from '../../data/node/files.js';
import { verifyCertificate } from '../../deploy/verify/verifyCertificate.js';
import { DataError } from '../../tensor/errors.js';
import { fileExists } from '../../train/node/files.js';
import { openTrained } from '../../train/node/openTrained.js';
import { holdsRun, RUN_FILES } from '../../train/node/runFolder.js';
import { useBackend } from '../backend.js';
import { Output } from '../output.js';
import { EXIT, UsageError } from '../usage.js';
import { auditOnBlank } from './audit.js';

interface Flags {
  readonly run?: string;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('check a certificate against the files it speaks of, by code that shares nothing with the audit')
    .requiredOption('--run <folder>', 'the folder of a run that was audited')
    .option('--json', 'machine-readable output')
    .action(verify);
}

async function verify({ run = '', json = false }: Flags): Promise<void> {
  const out = new Output(json);
  if (!(await holdsRun(run))) throw new UsageError(`--run: ${run} holds no run; name a folder that a2q train made`);
  const path = join(run, RUN_FILES.certificate);
  if (!(await fileExists(path))) {
    throw new DataError('verify', `${run} has no ${RUN_FILES.certificate}; make one: a2q audit --run ${run}`);
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readBytes('verify', path));
  const checkpoint = join(run, checkpointNamed(text));
  const own = await verifyCertificate(text, await readBytes('verify', checkpoint));
  const differences = own.length > 0 ? own : await inputDifferences(text, checkpoint);
  const { proved, safeBits } = own.length > 0 ? { proved: null, safeBits: null } : JSON.parse(text);
  const verified = differences.length === 0;
  for (const difference of differences) out.say(`${path}: ${difference}`);
  out.say(verified ? pc.green('verified') : pc.red('NOT verified'));
  if (verified) out.say(statement(proved, safeBits));
  out.result({ certificate: path, checkpoint, verified, proved, differences });
  if (!verified || (safeBits !== null && !proved)) process.exitCode = EXIT.failure;
}

function statement(proved: boolean, safeBits: number | null): string {
  if (safeBits === null) return 'no layer claims anything; safe P is what each would need';
  return proved ? 'every layer that claims a width is proved' : 'the certificate itself says: NOT proved';
}

/** The file of the run that a certificate names. @throws DataError unless it names one of the run's checkpoints */
function checkpointNamed(text: string): string {
  let name: unknown;
  try {
    name = JSON.parse(text)?.checkpoint?.file;
  } catch (cause) {
    throw new DataError('verify', 'the certificate is not JSON', { cause });
  }
  const known: readonly unknown[] = [RUN_FILES.best, RUN_FILES.last];
  if (known.includes(name)) return basename(String(name));
  throw new DataError('verify', 'the certificate names no checkpoint of this run');
}

/** What integers cannot tell: whether a forward pass of the model still shows where each layer's inputs come from. */
async function inputDifferences(text: string, path: string): Promise<string[]> {
  await useBackend({});
  const { model, checkpoint } = await openTrained(path);
  const { layers, problems } = await auditOnBlank(model, checkpoint.config);
  model.dispose();
  const certificate = JSON.parse(text);
  const byConstruction = (checked: string) => checked === 'by construction';
  const found = layers.flatMap(({ layer, inputChecked, proved, problems: own }, i) => {
    const claimed = certificate.layers[i];
    const differs = byConstruction(claimed.inputChecked) !== byConstruction(inputChecked);
    return [
      ...(differs
        ? [`layers[${i}] (${layer}).inputChecked is ${claimed.inputChecked}; a forward pass gives ${inputChecked}`]
        : []),
      ...(claimed.proved && !proved ? [`layers[${i}] (${layer}) is not proved: ${own.join('; ')}`] : []),
    ];
  });
  const missing = problems.filter((problem) => !certificate.problems.includes(problem));
  return [...found, ...missing.map((problem) => `problems lacks: ${problem}`)];
}
