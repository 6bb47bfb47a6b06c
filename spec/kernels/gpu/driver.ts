import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** The software driver that comes with Chromium, where Debian puts it. A real one is found by the loader itself. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/**
 * The environment in which Node finds a WebGPU adapter: this one, and Chromium's driver with the Vulkan loader beside
 * it, unless another is named. The linker reads it at start only, hence a process of its own.
 */
export function withDriver(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  if (env['VK_ICD_FILENAMES'] || !existsSync(SOFTWARE_DRIVER)) return env;
  env['VK_ICD_FILENAMES'] = SOFTWARE_DRIVER;
  env['LD_LIBRARY_PATH'] = [dirname(SOFTWARE_DRIVER), env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  return env;
}
