import t from 'tap';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import { conformance } from './conformance.js';

await conformance(t, createReferenceBackend());
