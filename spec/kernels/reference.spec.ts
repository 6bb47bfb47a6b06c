import t from 'tap';
import { completeBackend } from '../../lib/kernels/defaults.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import { conformance } from './conformance.js';

await conformance(t, completeBackend(createReferenceBackend()));
