import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import * as functions from '../../lib/autograd/index.js';
import * as everything from '../../lib/index.js';
import * as networks from '../../lib/nn/index.js';

const page = readFileSync(new URL('../../../docs/functions.md', import.meta.url), 'utf8');

/** The names in the first column of the page's tables. */
const listed = Array.from(page.matchAll(/^\| (`.*?) \|/gm), ([, cell]) => cell).flatMap((cell) =>
  Array.from(cell.matchAll(/`(\w+)/g), ([, name]) => name),
);

/** What the package exports of a room. */
async function exportsOf(room: string): Promise<string[]> {
  const folder = new URL(`../../lib/${room}/`, import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
  const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href)));
  const exported = new Map<string, unknown>(Object.entries(everything));
  return modules.flatMap((module) => Object.keys(module).filter((name) => exported.get(name) === module[name]));
}

const method = [...(await exportsOf('quant')), ...(await exportsOf('deploy'))];
t.ok(method.includes('QuantAdd') && method.includes('auditModel'));
t.strictSame(
  [...listed].sort(),
  [...new Set([...Object.keys(functions), ...Object.keys(networks), ...method])].sort(),
  'docs/functions.md lists every function, layer, quantizer, bound and audit, once',
);
