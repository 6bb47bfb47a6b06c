import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What the check says of a tree, a line each. */
function lint(tree: string, ...flags: string[]) {
  const script = join(root, 'scripts/lint-links.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, ...flags, tree], { encoding: 'utf8' });
  return { status, said: stderr.split('\n').filter((line) => line !== '') };
}

t.test('every link of the pages leads somewhere, those to symbols to the line', async (t) => {
  t.strictSame(lint(root), { status: 0, said: [] }, 'node scripts/lint-links.mjs --fix mends moved lines');
  const method = readFileSync(join(root, 'docs/method.md'), 'utf8');
  t.ok((method.match(/\]\([^)]*\.ts#L\d+\)/g) ?? []).length >= 10, 'equations are linked to lines');
});

t.test('the tour is a dozen files and 1,500 lines at most', async (t) => {
  const page = readFileSync(join(root, 'docs/tour.md'), 'utf8');
  const files = new Set(Array.from(page.matchAll(/\]\(\.\.\/(lib\/[^)#]+)#L\d+\)/g), ([, file]) => file));
  const lines = [...files].map((file) => readFileSync(join(root, file), 'utf8').split('\n').length - 1);
  t.ok(files.size >= 10 && files.size <= 12, `${files.size} files`);
  const total = lines.reduce((sum, count) => sum + count, 0);
  t.ok(total <= 1500, `${total} lines`);
});

/** Two lines of words, then a function, a class with a member and a table with a row. */
const SOURCE = `// trunc is named here,
const words = 'trunc';
export function trunc(): void {}
export class Box {
  trunc(): string { return words; }
}
export const rows = {
  floor: 1,
};
`;

const tree = (page: string) => ({
  lib: { 'x.ts': SOURCE },
  docs: { 'page.md': page, 'other.md': '# Some heading: `a_b`, c\n' },
});

t.test('what leads somewhere passes', async (t) => {
  const page = `# A page
[file](../lib/x.ts), [folder](../lib/), [page](other.md), [elsewhere](https://example.org/none), [here](#a-page),
[heading](other.md#some-heading-a_b-c), [any line](../lib/x.ts#L2), [\`x.ts\`](../lib/x.ts),
[\`trunc\`](../lib/x.ts#L3), [\`Box.trunc\`](../lib/x.ts#L5), [\`trunc\`](../lib/x.ts#L5),
[\`rows.floor\`](../lib/x.ts#L8)
\`\`\`md
[not a link](none.ts)
\`\`\`
`;
  const at = t.testdir(tree(page));
  t.strictSame(lint(at), { status: 0, said: [] });
  lint(at, '--fix');
  t.equal(readFileSync(join(at, 'docs/page.md'), 'utf8'), page, 'and is left alone');
});

const BROKEN = `[file](../lib/y.ts) [heading](other.md#none) and
\`\`\`md
[not a link](none.ts)
\`\`\`
[\`trunc\`](../lib/x.ts#L2) is here, [\`Box\`](../lib/x.ts) there,
[\`rows.ceil\`](../lib/x.ts#L8) nowhere, [\`rows.floor\`](../lib/x.ts#L80) moved
`;

t.test('what leads nowhere is named, and lines are mended on request', async (t) => {
  const at = t.testdir(tree(BROKEN));
  const lost = [
    'docs/page.md:1: ../lib/y.ts: no such file',
    'docs/page.md:1: other.md#none: no such heading',
    'docs/page.md:6: ../lib/x.ts declares no rows.ceil',
  ];
  const moved = [
    'docs/page.md:5: trunc stands in line 3, not at ../lib/x.ts#L2',
    'docs/page.md:5: Box stands in line 4, not at ../lib/x.ts',
    'docs/page.md:6: rows.floor stands in line 8, not at ../lib/x.ts#L80',
  ];
  const found = lint(at);
  t.equal(found.status, 1);
  t.strictSame(found.said.sort(), [...lost, ...moved].sort());
  t.strictSame(lint(at, '--fix'), { status: 1, said: lost }, 'what cannot be mended is still told');
  const mended = BROKEN.replace('x.ts#L2)', 'x.ts#L3)')
    .replace('(../lib/x.ts)', '(../lib/x.ts#L4)')
    .replace('#L80', '#L8');
  t.equal(readFileSync(join(at, 'docs/page.md'), 'utf8'), mended);
});
