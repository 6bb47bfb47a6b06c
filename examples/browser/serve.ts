/**
 * Builds the browser page and serves it: `npm run example:browser -- [--dev] [--eval] [--port N]`. `--dev` is the
 * readable build; `--eval` allows code from strings, which only `gpu:cpu` needs.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildPage } from './build.js';
import { EVAL_POLICY, STRICT_POLICY, servePage } from './server.js';

const { values } = parseArgs({
  options: { dev: { type: 'boolean' }, eval: { type: 'boolean' }, port: { type: 'string', default: '8080' } },
});
const folder = fileURLToPath(new URL('./site', import.meta.url));
await buildPage(folder, !values.dev);
const { url } = await servePage(folder, values.eval ? EVAL_POLICY : STRICT_POLICY, Number(values.port));
console.log(`${url} (${folder}); Ctrl-C ends it`);
