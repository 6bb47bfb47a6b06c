import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

const KINDS = ['.ts', '.mjs', '.js', '.md', '.json', '.css', '.html', '.sh', '.py', '.yml', ''];
const SKIPPED_FOLDERS = /^(node_modules|dist.*|runs|shared|\.git|\.tap)$/;
const SKIPPED_FILES = /^(package-lock\.json|\.git|.*\.generated\.ts)$/;

/** Addresses of the text files that people write in a directory; neither what is built or installed nor records. */
export function* texts(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDERS.test(entry.name)) yield* texts(path);
    if (entry.isFile() && KINDS.includes(extname(entry.name)) && !SKIPPED_FILES.test(entry.name)) yield path;
  }
}
