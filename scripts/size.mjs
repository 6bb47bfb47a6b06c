/** `npm run size`: what small programs carry of the package, a JSON line each; fails above a limit. Needs a build. */
import { checkSizes } from './package/sizes.mjs';

for (const each of await checkSizes(import.meta.dirname)) {
  console.log(JSON.stringify({ check: 'size', ...each }));
  if (!each.passed) process.exitCode = 1;
}
