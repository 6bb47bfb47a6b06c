import { readFileSync } from 'node:fs';
import t from 'tap';
import * as functions from '../../lib/autograd/index.js';
import * as networks from '../../lib/nn/index.js';

const page = readFileSync(new URL('../../../docs/functions.md', import.meta.url), 'utf8');

/** The names in the first column of the page's tables. */
const listed = Array.from(page.matchAll(/^\| (`.*?) \|/gm), ([, cell]) => cell).flatMap((cell) =>
  Array.from(cell.matchAll(/`(\w+)/g), ([, name]) => name),
);

t.strictSame(
  [...listed].sort(),
  [...new Set([...Object.keys(functions), ...Object.keys(networks)])].sort(),
  'docs/functions.md lists every function and layer, once',
);
