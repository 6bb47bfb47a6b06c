/** Removes what earlier builds left in dist and no source makes any more. Part of `npm run build`, before `tsc`. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** The source of an output of `tsc`; null for other files. */
function sourceOf(file) {
  const [, stem] = /^(.*?)(?:\.d\.ts|\.js|\.js\.map)$/.exec(relative(dist, file)) ?? [];
  return stem === undefined ? null : join(root, `${stem}.ts`);
}

function clean(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) clean(path);
    else {
      const source = sourceOf(path);
      if (source !== null && !existsSync(source)) rmSync(path);
    }
  }
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}

for (const name of ['lib', 'spec', 'bench', 'examples']) if (existsSync(join(dist, name))) clean(join(dist, name));
