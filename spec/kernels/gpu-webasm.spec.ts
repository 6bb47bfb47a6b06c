import t from 'tap';
import { startBackend } from '../../lib/kernels/registry.js';
import { conformance } from './conformance.js';

const backend = await startBackend('gpu:webasm');
t.equal(backend.name, 'gpu:webasm');
await conformance(t, backend);
