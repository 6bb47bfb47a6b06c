/**
 * Every relative link of every Markdown file leads somewhere: the file is there, the heading is, and
 * [`symbol`](file.ts#L1) is the line that declares the symbol (`Class.member` too). Prints each failure as file:line.
 * Part of `npm run lint`.
 *
 *     node scripts/lint-links.mjs [--fix] [DIRECTORY]     --fix writes the lines of symbols that have moved
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { texts } from './texts.mjs';

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true });
const root = positionals[0] ?? join(import.meta.dirname, '..');

const FENCED = /^ *```[\s\S]*?^ *```/gm;
const LINK = /\[((?:[^\][]|\[[^\]]*\])*)\]\(([^()\s]+)\)/g;
const SYMBOL = /^`([A-Za-z_$][\w$]*(?:\.[\w$]+)*)`$/;

/** The anchors GitHub gives to the headings of a page. */
function anchors(markdown) {
  const seen = new Map();
  return Array.from(markdown.replace(FENCED, '').matchAll(/^#+ +(.+?) *$/gm), ([, heading]) => {
    const text = heading.replace(LINK, '$1').toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

const DECLARES = new Set([
  ts.SyntaxKind.FunctionDeclaration,
  ts.SyntaxKind.ClassDeclaration,
  ts.SyntaxKind.InterfaceDeclaration,
  ts.SyntaxKind.TypeAliasDeclaration,
  ts.SyntaxKind.EnumDeclaration,
  ts.SyntaxKind.VariableDeclaration,
  ts.SyntaxKind.MethodDeclaration,
  ts.SyntaxKind.MethodSignature,
  ts.SyntaxKind.PropertyDeclaration,
  ts.SyntaxKind.PropertySignature,
  ts.SyntaxKind.PropertyAssignment,
  ts.SyntaxKind.GetAccessor,
]);

/** The declarations of a name inside of a node, outermost first. */
function declarationsOf(name, node) {
  const found = [];
  const pending = [node];
  for (const each of pending) {
    if (each !== node && DECLARES.has(each.kind) && each.name.getText() === name) found.push(each);
    ts.forEachChild(each, (child) => void pending.push(child));
  }
  return found;
}

/** The lines that declare a symbol, outermost first; `Class.member` is looked for inside of `Class`. */
function linesOf(symbol, path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const inside = (nodes, name) => nodes.flatMap((node) => declarationsOf(name, node));
  const found = symbol.split('.').reduce(inside, [source]);
  return found.map((node) => source.getLineAndCharacterOfPosition(node.name.getStart()).line + 1);
}

/** What is wrong with a link of a page, and what to write in its place where that is known; null if all is well. */
function judge(page, label, target) {
  if (/^\w+:/.test(target)) return null;
  const [path, hash] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(file)) return { problem: `${target}: no such file` };
  if (file.endsWith('.md') && hash !== undefined) {
    return anchors(readFileSync(file, 'utf8')).includes(hash) ? null : { problem: `${target}: no such heading` };
  }
  const symbol = SYMBOL.exec(label)?.[1];
  if (!file.endsWith('.ts') || symbol === undefined || symbol === basename(file)) return null;
  const lines = linesOf(symbol, file);
  if (lines.length === 0) return { problem: `${path} declares no ${symbol}` };
  if (lines.some((line) => hash === `L${line}`)) return null;
  return { problem: `${symbol} stands in line ${lines[0]}, not at ${target}`, cure: `${path}#L${lines[0]}` };
}

for (const page of texts(root)) {
  if (!page.endsWith('.md')) continue;
  const text = readFileSync(page, 'utf8');
  // Code keeps its length as blanks, so that places stay places.
  const prose = text.replace(FENCED, (code) => code.replace(/[^\n]/g, ' '));
  let [mended, end] = ['', 0];
  for (const { index, 0: link, 1: label, 2: target } of prose.matchAll(LINK)) {
    const fault = judge(page, label, target);
    if (fault === null) continue;
    if (values.fix && fault.cure) {
      mended += `${text.slice(end, index)}[${label}](${fault.cure})`;
      end = index + link.length;
    } else {
      process.exitCode = 1;
      console.error(`${relative(root, page)}:${text.slice(0, index).split('\n').length}: ${fault.problem}`);
    }
  }
  if (end > 0) writeFileSync(page, mended + text.slice(end));
}
