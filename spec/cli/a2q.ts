import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));
const PROGRAM = new URL('../../lib/cli/program.js', import.meta.url).href;

/** How a call of the command ended. */
export interface Call {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** The value of A2Q_DATA_DIR; default unset. */
  readonly dataDir?: string;
  /** Sends SIGINT as soon as standard error holds this text. */
  readonly interruptAt?: RegExp;
  /** Shell text run before, in the same shell, for example `ulimit -f 8`. */
  readonly before?: string;
}

/** Runs `a2q` as a user would: in a process of its own. */
export function a2q(args: readonly string[], { dataDir, interruptAt, before }: CallOptions = {}): Promise<Call> {
  const { A2Q_DATA_DIR: _, ...env } = process.env;
  const given = dataDir === undefined ? env : { ...env, A2Q_DATA_DIR: dataDir };
  const command = [process.execPath, MAIN, ...args];
  const [file, ...rest] = before ? ['sh', '-c', `${before}; exec "$0" "$@"`, ...command] : command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { env: given, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let interrupted = false;
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (!interrupted && interruptAt?.test(stderr)) interrupted = child.kill('SIGINT');
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Arguments as one would type them. */
export function words(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}

/** Runs many command lines one after the other in one process, which saves its start each time. */
export async function a2qAll(lines: readonly (readonly string[])[]): Promise<Call[]> {
  const script = `
    import { runProgram } from ${JSON.stringify(PROGRAM)};
    const print = process.stdout.write.bind(process.stdout);
    const calls = [];
    for (const args of JSON.parse(process.argv[1])) {
      const call = { code: null, stdout: '', stderr: '' };
      process.stdout.write = (text) => ((call.stdout += text), true);
      process.stderr.write = (text) => ((call.stderr += text), true);
      call.code = await runProgram(args);
      calls.push(call);
    }
    print(JSON.stringify(calls));`;
  const { A2Q_DATA_DIR: _, ...env } = process.env;
  const args = ['--input-type=module', '-e', script, JSON.stringify(lines)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return JSON.parse(stdout) as Call[];
}
