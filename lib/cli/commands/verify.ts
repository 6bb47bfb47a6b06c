import { basename, join } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { readBytes } from '../../data/node/files.js';
import { verifyCertificate } from '../../deploy/verify/verifyCertificate.js';
import { verifyNetwork } from '../../deploy/verify/verifyNetwork.js';
import { DataError } from '../../tensor/errors.js';
import { fileExists } from '../../train/node/files.js';
import { openTrained } from '../../train/node/openTrained.js';
import { holdsRun, RUN_FILES, readRunConfig } from '../../train/node/runFolder.js';
import { describeChange, lockedChanges } from '../../train/resume.js';
import { useBackend } from '../backend.js';
import { Output } from '../output.js';
import { EXIT, givenOptions, UsageError } from '../usage.js';
import { auditOnBlank } from './audit.js';

interface Flags {
  readonly run?: string;
  readonly checkpoint?: string;
  readonly certificate?: string;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('check a certificate against the files it speaks of, by code that shares nothing with the audit')
    .argument('[network]', 'a network of integers, as a2q deploy writes it')
    .argument('[certificate]', 'what a2q audit --model --out wrote of it')
    .option('--run <folder>', 'the folder of a run that was audited')
    .option('--checkpoint <file>', 'the checkpoint that was audited, with --certificate')
    .option('--certificate <file>', 'what a2q audit --out wrote (default: certificate.json in the run’s folder)')
    .option('--json', 'machine-readable output')
    .action(verify);
}

async function verify(
  network: string | undefined,
  certificate: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  const out = new Output(flags.json ?? false);
  if (network !== undefined) {
    const stray = givenOptions(command).find((option) => option !== '--json');
    if (stray !== undefined) throw new UsageError(`${stray} does not go with a network`);
    return verifyFiles(out, network, certificate);
  }
  const { path, text, checkpoint } = await filesOf(flags);
  const own = await verifyCertificate(text, await readBytes('verify', checkpoint));
  const differences = own.length > 0 ? own : await otherDifferences(text, checkpoint, flags.run);
  const { proved, safeBits } = own.length > 0 ? { proved: null, safeBits: null } : JSON.parse(text);
  const verified = differences.length === 0;
  for (const difference of differences) out.say(`${path}: ${difference}`);
  out.say(verified ? pc.green('verified') : pc.red('NOT verified'));
  if (verified) out.say(statement(proved, safeBits));
  out.result({ certificate: path, checkpoint, verified, proved, differences });
  if (!verified || (safeBits !== null && !proved)) process.exitCode = EXIT.failure;
}

/** `a2q verify NET CERTIFICATE`. */
async function verifyFiles(out: Output, network: string, certificate: string | undefined): Promise<void> {
  if (certificate === undefined) throw new UsageError('name a certificate behind the network');
  for (const file of [network, certificate]) {
    if (!(await fileExists(file))) throw new UsageError(`there is no file ${file}`);
  }
  const [bytes, text] = [await readBytes('verify', network), await readBytes('verify', certificate)];
  const differences = await verifyNetwork(bytes, text);
  const verified = differences.length === 0;
  for (const difference of differences) out.say(`${certificate}: ${difference}`);
  out.say(verified ? pc.green('verified') : pc.red('NOT verified'));
  const { proved, safeBits } = verified ? JSON.parse(new TextDecoder().decode(text)) : { proved: null, safeBits: null };
  if (verified) out.say(statement(proved, safeBits));
  out.result({ network, certificate, verified, proved, safeBits, differences });
  if (!verified) process.exitCode = EXIT.failure;
}

/** The certificate and the checkpoint that are meant. @throws UsageError unless the flags name both */
async function filesOf({ run, checkpoint, certificate }: Flags) {
  if ((run === undefined) === (checkpoint === undefined)) {
    throw new UsageError('name a network and its certificate, or either --run FOLDER or --checkpoint FILE');
  }
  for (const [flag, file] of Object.entries({ checkpoint, certificate })) {
    if (file !== undefined && !(await fileExists(file))) throw new UsageError(`--${flag}: there is no file ${file}`);
  }
  if (checkpoint !== undefined) {
    if (certificate === undefined) throw new UsageError('--checkpoint goes with --certificate FILE');
    return { path: certificate, text: await textOf(certificate), checkpoint };
  }
  const folder = run as string;
  if (!(await holdsRun(folder))) {
    throw new UsageError(`--run: ${folder} holds no run; name a folder that a2q train made`);
  }
  const path = certificate ?? join(folder, RUN_FILES.certificate);
  if (!(await fileExists(path))) {
    throw new DataError('verify', `${folder} has no ${RUN_FILES.certificate}; make one: a2q audit --run ${folder}`);
  }
  const text = await textOf(path);
  return { path, text, checkpoint: join(folder, checkpointNamed(text)) };
}

async function textOf(path: string): Promise<string> {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(await readBytes('verify', path));
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

/**
 * What integers cannot tell: whether a forward pass of the model still shows where each layer's inputs come from, and
 * whether the run's configuration is that of its checkpoint.
 */
async function otherDifferences(text: string, path: string, run: string | undefined): Promise<string[]> {
  await useBackend({});
  const { model, checkpoint } = await openTrained(path);
  const { config: trained } = checkpoint;
  const { layers, problems } = await auditOnBlank(model, trained);
  model.dispose();
  const config = run === undefined ? trained : await readRunConfig(run);
  const edits = lockedChanges(trained, config).map((setting) => describeChange(trained, config, setting));
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
  return [
    ...found,
    ...missing.map((problem) => `problems lacks: ${problem}`),
    ...edits.map((edit) => `${RUN_FILES.config} is not the checkpoint's: ${edit}`),
  ];
}
