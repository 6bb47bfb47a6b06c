/** Runs a lesson by its number or name; without one, lists them. `npm run example -- 04` */
import { readdirSync } from 'node:fs';

const lessons = readdirSync(new URL('.', import.meta.url))
  .filter((file) => /^\d\d-.*\.js$/.test(file))
  .sort();
const [wanted] = process.argv.slice(2);
const lesson = lessons.find((file) => file.startsWith(wanted?.padStart(2, '0') ?? '?'));
if (lesson === undefined) {
  const list = lessons.map((file) => `  ${file.replace(/\.js$/, '')}`).join('\n');
  console.error(`${wanted === undefined ? 'Which lesson?' : `There is no lesson ${wanted}.`} Choose one of\n${list}`);
  process.exitCode = 2;
} else {
  await import(new URL(lesson, import.meta.url).href);
}
