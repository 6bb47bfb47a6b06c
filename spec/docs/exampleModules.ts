import { basename, join } from 'node:path';
import ts from 'typescript';
import { statedValue } from './exampleValues.js';

/** The code of one `@example` block. */
export interface Example {
  /** File and line of the source. */
  readonly place: string;
  readonly code: string;
}

/** An example as a module of its own, and how many values it checks. */
export interface ExampleModule {
  readonly text: string;
  readonly values: number;
}

/** What browsers have and Node does not, by name. */
const BROWSER: Readonly<Record<string, string>> = {
  Worker: `import { Worker as NodeWorker } from 'node:worker_threads';
class Worker extends NodeWorker {
  constructor(url: URL, _options: { type: 'module' }) {
    super(url);
  }
}`,
  self: `import { parentPort } from 'node:worker_threads';
const self = parentPort ?? { addEventListener: () => undefined, postMessage: () => undefined };`,
};

/** The `@example` blocks of a source: all that follows the tag in its comment, up to the next tag. */
export function findExamples(source: string, file: string): Example[] {
  const found: Example[] = [];
  for (const { index, 1: code } of source.matchAll(/^ *\* @example\n((?: *\*(?![/])(?! @).*\n)+)/gm)) {
    const line = source.slice(0, index).split('\n').length;
    found.push({ place: `${file}:${line}`, code: code.replace(/^ *\* ?/gm, '') });
  }
  return found;
}

/** What a module exports, as it is written in an import: `tensor`, `type Shape`. */
export function importable(entry: string): ReadonlyMap<string, string> {
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, skipLibCheck: true, noLib: true });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entry);
  const symbol = file && checker.getSymbolAtLocation(file);
  const written = (each: ts.Symbol): string => {
    const origin = each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each;
    return origin.flags & ts.SymbolFlags.Value ? each.name : `type ${each.name}`;
  };
  return new Map((symbol ? checker.getExportsOfModule(symbol) : []).map((each) => [each.name, written(each)]));
}

/**
 * An example as a module: it imports what it names from the package root, and a statement `expression; // value`
 * becomes a check of that value.
 *
 * @param checks address of the module that exports `check`
 * @throws Error if a value stands elsewhere
 */
export function toModule({ place, code }: Example, names: ReadonlyMap<string, string>, checks: string): ExampleModule {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.Latest, true);
  let body = '';
  let values = 0;
  for (const statement of source.statements) {
    const [comment] = ts.getTrailingCommentRanges(code, statement.end) ?? [];
    const value = comment && statedValue(code.slice(comment.pos + 2, comment.end));
    if (value !== undefined && ts.isExpressionStatement(statement)) {
      body += `check(${statement.expression.getText()}, ${JSON.stringify(value)});\n`;
      values++;
    } else {
      body += `${statement.getText()}\n`;
    }
  }
  const stated = [...code.matchAll(/\/\/(.*)$/gm)].filter(([, text]) => statedValue(text) !== undefined).length;
  if (stated !== values) throw new Error(`${place}: ${stated} values, but ${values} behind an expression of their own`);
  return { text: `${imports(code, names)}\nimport { check } from '${checks}';\n${body}`, values };
}

/** The imports of what a code names. */
function imports(code: string, names: ReadonlyMap<string, string>): string {
  const words = [...new Set(code.match(/\w+/g))];
  const used = words.flatMap((word) => names.get(word) ?? []);
  return [`import { ${used.join(', ')} } from 'a2q.js';`, ...words.flatMap((word) => BROWSER[word] ?? [])].join('\n');
}

/** Compiles modules of a folder in place, as strictly as the project; what the compiler finds, one line each. */
export function compile(folder: string, files: readonly string[], config: string): string[] {
  const { compilerOptions } = ts.readConfigFile(config, ts.sys.readFile).config;
  const { outDir, rootDir, tsBuildInfoFile, incremental, declaration, sourceMap, noUnusedLocals, ...strict } =
    compilerOptions;
  const { options } = ts.convertCompilerOptionsFromJson(strict, folder);
  const paths = files.map((file) => join(folder, file));
  const program = ts.createProgram(paths, options);
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ file, start = 0, messageText }) => {
    const at = file ? `${basename(file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ` : '';
    return at + ts.flattenDiagnosticMessageText(messageText, ' ');
  });
}
