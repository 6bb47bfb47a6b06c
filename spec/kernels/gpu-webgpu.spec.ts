import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** The software driver that comes with Chromium, where Debian puts it. A real one is found by the loader itself. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const env: NodeJS.ProcessEnv = { ...process.env };
if (!env['VK_ICD_FILENAMES'] && existsSync(SOFTWARE_DRIVER)) {
  env['VK_ICD_FILENAMES'] = SOFTWARE_DRIVER;
  // The Vulkan loader lies beside it. The linker reads this at start only, hence the process of its own.
  env['LD_LIBRARY_PATH'] = [dirname(SOFTWARE_DRIVER), env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
}

t.setTimeout(1_200_000);
const script = fileURLToPath(new URL('./gpu/webgpu.js', import.meta.url));
await t.spawn(process.execPath, [script], { env, timeout: 1_200_000 }, 'gpu:webgpu');
