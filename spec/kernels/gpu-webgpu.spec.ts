import { fileURLToPath } from 'node:url';
import t from 'tap';
import { withDriver } from './gpu/driver.js';

t.setTimeout(1_200_000);
const script = fileURLToPath(new URL('./gpu/webgpu.js', import.meta.url));
await t.spawn(process.execPath, [script], { env: withDriver(), timeout: 1_200_000 }, 'gpu:webgpu');
