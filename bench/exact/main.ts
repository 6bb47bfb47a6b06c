/** `npm run exact`: is a deployed network the trained one, integer by integer? See USAGE. */
import { parseArgs } from 'node:util';
import { A2QError } from '../../lib/tensor/errors.js';
import { compareRun, type ExactOptions } from './compareRun.js';
import { ENGINES } from './engines.js';

const USAGE = `usage: npm run exact -- --run RUN [--run RUN]… [options]
Lowers trained runs and compares, on every image of their test sets, the integers of every layer with those behind the
floats of the trained model; then the outputs of other engines with those of the reference. JSON lines: one a layer, one
an engine with the SHA-256 of all its outputs, one a run. Exit code 1 if thresholds differ anywhere.
  --data-dir DIR          where the data is; default A2Q_DATA_DIR
  --requantization MODE   thresholds or fixed; default thresholds
  --layers NAME           reference or wasm: what computes the layers; default reference
  --engine NAME           ${ENGINES.join(', ')}; may be repeated; default none
  --engines-only          leaves out the trained model and the reference
  --batch-size N          images at a time; default 100, of images of several sizes 1
  --limit-batches N       stops after so many; default all`;

class UsageError extends Error {}

function parsed(args: readonly string[]): ExactOptions & { readonly runs: readonly string[] } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      run: { type: 'string', multiple: true, default: [] },
      engine: { type: 'string', multiple: true, default: [] },
      'data-dir': { type: 'string' },
      layers: { type: 'string', default: 'reference' },
      requantization: { type: 'string', default: 'thresholds' },
      'engines-only': { type: 'boolean', default: false },
      'batch-size': { type: 'string' },
      'limit-batches': { type: 'string' },
    },
  });
  const count = (text: string | undefined) => {
    if (text === undefined) return null;
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    throw new UsageError(`'${text}' is no count`);
  };
  const { requantization, layers } = values;
  if (layers !== 'reference' && layers !== 'wasm') throw new UsageError(`--layers is reference or wasm, not ${layers}`);
  if (values.run.length === 0) throw new UsageError('name at least one --run');
  if (requantization !== 'thresholds' && requantization !== 'fixed') {
    throw new UsageError(`--requantization is thresholds or fixed, not ${requantization}`);
  }
  const strange = values.engine.find((name) => !ENGINES.includes(name));
  if (strange !== undefined) throw new UsageError(`--engine is one of ${ENGINES.join(', ')}, not ${strange}`);
  return {
    ...{ runs: values.run, engines: values.engine, dataDir: values['data-dir'], requantization, layers },
    enginesOnly: values['engines-only'],
    batchSize: count(values['batch-size']),
    limitBatches: count(values['limit-batches']),
  };
}

async function main(): Promise<number> {
  const { runs, ...options } = parsed(process.argv.slice(2));
  let exact = true;
  for (const run of runs) {
    for await (const line of compareRun(run, options)) {
      process.stdout.write(`${JSON.stringify({ run, ...line })}\n`);
      if (options.requantization === 'thresholds' && 'differing' in line && line.differing > 0) exact = false;
    }
  }
  return exact ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
    if (!usage && !(error instanceof A2QError)) throw error;
    process.stderr.write(`error: ${(error as Error).message}\n${usage ? `${USAGE}\n` : ''}`);
    process.exitCode = usage ? 2 : 1;
  },
);
