import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import t from 'tap';
import { makeProgram } from '../../lib/cli/program.js';

interface ReadmeScript {
  consoleBlocks(page: string): { needs: string | null; commands: string[] }[];
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { consoleBlocks } = (await import(join(root, 'scripts/check-readme.mjs'))) as ReadmeScript;

t.test('blocks of commands are found as people read them', async (t) => {
  const first = '```console\n$ one \\\n    more  # why\n$ two\n```\n';
  const page = `${first}\`\`\`ts\n$ not\n\`\`\`\n\`\`\`console data\n$ three\n\`\`\`\n`;
  t.same(consoleBlocks(page), [
    { needs: null, commands: ['one \\\n    more  # why', 'two'] },
    { needs: 'data', commands: ['three'] },
  ]);
});

t.test('every a2q command of README and docs is one, and so is every flag of it', async (t) => {
  const program = await makeProgram();
  let found = 0;
  for (const page of ['README.md', 'docs/train.md', 'docs/data.md', 'docs/gpu.md', 'docs/method.md']) {
    const text = (await readFile(join(root, page), 'utf8')).replaceAll(/\\\n\s+/g, '');
    for (const [, name, rest] of text.matchAll(/^\$ npx a2q (\w+)(.*?)(?: {2,}#.*)?$/gm)) {
      found += 1;
      const command = program.commands.find((each) => each.name() === name);
      const { tokens } = parseArgs({ args: rest.trim().split(/\s+/), strict: false, tokens: true });
      const flags = tokens.flatMap((token) => (token.kind === 'option' ? [`--${token.name}`] : []));
      const known = new Set(command?.options.map(({ long }) => long));
      t.same(
        flags.filter((flag) => !known.has(flag)),
        [],
        `${page}: a2q ${name}${rest}`,
      );
    }
  }
  t.ok(found >= 10, `${found} commands`);
});
