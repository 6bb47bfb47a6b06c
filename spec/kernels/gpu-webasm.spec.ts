import t from 'tap';
import { startBackend } from '../../lib/kernels/registry.js';
import { noGoldenFiles, passesGoldenFiles } from '../goldenFiles.js';
import { conformance } from './conformance.js';

t.setTimeout(300_000);
const backend = await startBackend('gpu:webasm');
t.equal(backend.name, 'gpu:webasm');
await conformance(t, backend);

await t.test('golden files of Brevitas and PyTorch', { skip: noGoldenFiles }, (t) => passesGoldenFiles(t, backend));
