import { Command, CommanderError } from 'commander';
import { A2QError } from '../tensor/errors.js';
import { VERSION } from '../tensor/version.js';
import { foreignPlace } from '../train/node/foreignPlace.js';
import { assignCommand } from './commands/assign.js';
import { auditCommand } from './commands/audit.js';
import { boundsCommand } from './commands/bounds.js';
import { deployCommand } from './commands/deploy.js';
import { diffCommand } from './commands/diff.js';
import { evalCommand } from './commands/eval.js';
import { exportCommand } from './commands/export.js';
import { importCommand } from './commands/import.js';
import { inferCommand } from './commands/infer.js';
import { infoCommand } from './commands/info.js';
import { predictCommand } from './commands/predict.js';
import { quantizeCommand } from './commands/quantize.js';
import { reportCommand } from './commands/report.js';
import { showCommand } from './commands/show.js';
import { trainCommand } from './commands/train.js';
import { verifyCommand } from './commands/verify.js';
import { demoCommand } from './demo/command.js';
import { EXIT, UsageError } from './usage.js';

/** The environment variable that asks for the traces of faults. */
const TRACE_VARIABLE = 'A2Q_TRACE';

/** The whole command line. @param argv what was typed: a command that is not named may know less of itself */
export async function makeProgram(argv: readonly string[] = []): Promise<Command> {
  const program = new Command('a2q')
    .description('Train quantized networks whose low-bit accumulators provably never overflow (A2Q, A2Q+).')
    .version(VERSION, '-V, --version')
    .exitOverride()
    .showHelpAfterError('(--help shows every option)');
  const commands = [
    demoCommand(),
    infoCommand(),
    boundsCommand(),
    trainCommand(),
    quantizeCommand(),
    evalCommand(),
    predictCommand(),
    reportCommand(),
    auditCommand(),
    verifyCommand(),
    deployCommand(),
    inferCommand(),
    importCommand(),
    diffCommand(),
    showCommand(),
    assignCommand(),
    await exportCommand(argv.includes('export')),
  ];
  for (const command of commands) program.addCommand(unknownFirst(command.copyInheritedSettings(program)));
  return program;
}

/** Makes a command name an option that it has not before one that is missing: the two are often one, misspelt. */
function unknownFirst(command: Command): Command {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (argv) => {
    const parsed = parse(argv);
    const asksForHelp = parsed.unknown.some((word) => word === '--help' || word === '-h');
    if (parsed.unknown.length > 0 && !asksForHelp) {
      for (const option of command.options) option.makeOptionMandatory(false);
    }
    return parsed;
  };
  return command;
}

/**
 * Runs the command line.
 * @param argv without the interpreter and the script
 * @returns the exit code: 0 success, 1 failure of the work, 2 bad usage
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    const program = await makeProgram(argv);
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.success;
  } catch (error) {
    return report(error, json);
  }
}

/** Tells people, and with `--json` machines, what went wrong. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.success;
    if (json) writeError('UsageError', error.message.replace(/^error: /, ''));
    return EXIT.usage;
  }
  if (error instanceof UsageError || error instanceof A2QError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (json) writeError(error.name, error.message);
    return error instanceof UsageError ? EXIT.usage : EXIT.failure;
  }
  return reportUnforeseen(error, json);
}

/** An error that is none of ours: a fault of the user's module where it arose in there, else of a2q. */
function reportUnforeseen(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error);
  const place = foreignPlace(error);
  process.stderr.write(`error: ${message}\n`);
  const stack = error instanceof Error ? error.stack : undefined;
  if (process.env[TRACE_VARIABLE]) process.stderr.write(`${stack ?? 'no trace'}\n`);
  else if (place)
    process.stderr.write(`it arose in ${place}, which is not a file of a2q: ${TRACE_VARIABLE}=1 shows how\n`);
  else process.stderr.write(`this was not foreseen, and is a fault of a2q: ${TRACE_VARIABLE}=1 shows where it arose\n`);
  if (json) writeError('Error', place ? `${message} (${place})` : message);
  return EXIT.failure;
}

function writeError(type: string, message: string): void {
  process.stdout.write(`${JSON.stringify({ error: { type, message } }, null, 2)}\n`);
}
