/** Writes the settings of `a2q train` into docs/train.md, from the schema of the built library. */
import { readFileSync, writeFileSync } from 'node:fs';
import { settingsMarkdown } from '../dist/lib/cli/settingsText.js';

const page = new URL('../docs/train.md', import.meta.url);
const mark = '<!-- Made from the schema by scripts/train-doc.mjs; do not edit below. -->\n\n';
const [head] = readFileSync(page, 'utf8').split(mark);
writeFileSync(page, head + mark + settingsMarkdown());
