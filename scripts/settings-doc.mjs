/** Writes docs/settings.md, the settings of `a2q train`, from the schema of the built library. */
import { writeFileSync } from 'node:fs';
import { settingsPage } from '../dist/lib/cli/settingsText.js';

writeFileSync(new URL('../docs/settings.md', import.meta.url), settingsPage());
