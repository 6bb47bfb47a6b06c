import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The recipes of CONTRIBUTING.md: what someone adds, and the change that adds it. */
export interface Recipe {
  /** Heading, without the count. */
  readonly name: string;
  /** Places to touch, as the heading says. */
  readonly promised: number;
  /** Hunks of the change, and the file each is in. */
  readonly places: readonly string[];
  readonly diff: string;
}

const HEADING = /^### (?<name>.+?): (?<count>\d+) places?\b.*$/;

/** Every section of the page that has a heading with a count and a `diff` block. @throws Error if one lacks the other */
export function parseRecipes(page: string): Recipe[] {
  return page
    .split(/^(?=### )/m)
    .filter((section) => section.startsWith('### ') && section.includes('```diff'))
    .map((section) => {
      const heading = HEADING.exec(section.slice(0, section.indexOf('\n')))?.groups;
      if (!heading) throw new Error(`a recipe says how many places it touches: ${section.slice(0, 60)}`);
      const diff = [...section.matchAll(/```diff\n(.*?)```/gs)].map(([, text]) => text).join('');
      return { name: heading['name'], promised: Number(heading['count']), places: placesOf(diff), diff };
    });
}

function placesOf(diff: string): string[] {
  const places: string[] = [];
  let file = '';
  for (const line of diff.split('\n')) {
    if (line.startsWith('+++ b/')) file = line.slice(6);
    if (line.startsWith('@@')) places.push(file);
  }
  return places;
}

/** A copy of the project that recipes can be carried out in. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'a2q-recipes-'));

  constructor(project: string) {
    for (const part of ['lib', 'spec/autograd', 'scripts', 'package.json', 'tsconfig.json', 'docs']) {
      cpSync(join(project, part), join(this.folder, part), { recursive: true });
    }
    symlinkSync(join(project, 'node_modules'), join(this.folder, 'node_modules'), 'dir');
  }

  /** @throws Error with what `git apply` says if a hunk has no place any more */
  apply({ name, diff }: Recipe): void {
    const file = join(this.folder, 'recipe.diff');
    writeFileSync(file, diff);
    try {
      execFileSync('git', ['apply', '--recount', '--unidiff-zero', '--whitespace=nowarn', '-C1', file], {
        cwd: this.folder,
        env: { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() },
        stdio: 'pipe',
      });
    } catch (error) {
      throw new Error(`${name}: ${(error as { stderr: Buffer }).stderr}`);
    }
  }

  /** Builds the kernels and compiles the library. @throws Error with what the compiler says */
  compile(): void {
    this.run('scripts/build-wasm.mjs');
    const config = JSON.parse(readFileSync(join(this.folder, 'tsconfig.json'), 'utf8')) as Record<string, unknown>;
    const include = ['lib/**/*.ts', 'spec/autograd/samples/**/*.ts'];
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify({ ...config, include }));
    this.run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');
  }

  /** Runs a script of the copy with Node. @returns what it prints @throws Error with all it prints if it fails */
  run(...args: readonly string[]): string {
    try {
      return execFileSync(process.execPath, args, { cwd: this.folder, encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
