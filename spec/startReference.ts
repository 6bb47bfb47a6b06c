import { startBackend } from '../lib/kernels/registry.js';

/** Importing this module starts the reference backend, so that `backendNamed('reference')` finds it. */
await startBackend('reference');
