import type { Test } from 'tap';
import type { Backend } from '../../lib/kernels/backend.js';
import { TOLERANCES } from '../tolerances.js';
import { accumulatorConformance } from './conformance/accumulator.js';
import { channelConformance } from './conformance/channels.js';
import { convolutionConformance } from './conformance/convolution.js';
import { deviceConformance } from './conformance/device.js';
import { edgeConformance } from './conformance/edges.js';
import { elementwiseConformance } from './conformance/elementwise.js';
import { fastPathConformance } from './conformance/fastPaths.js';
import { integerConformance } from './conformance/integers.js';
import { matmulConformance } from './conformance/matmul.js';
import { moveConformance } from './conformance/moves.js';
import { optimizerConformance } from './conformance/optimizers.js';
import { poolingConformance } from './conformance/pooling.js';
import { quantizationConformance } from './conformance/quantization.js';
import { reductionConformance } from './conformance/reduction.js';
import { Subject } from './conformance/subject.js';
import { weightConformance } from './conformance/weights.js';

/**
 * What every backend must pass: each kernel against a naive oracle, in all memory layouts and at the points where rules
 * change; each row that may be sped up by its fast path and by its composition; results fresh, contiguous and without
 * leaks.
 */
export async function conformance(t: Test, backend: Backend): Promise<void> {
  await t.test('memory', (t) => deviceConformance(t, backend));
  for (const dtype of backend.dtypes) {
    const subject = new Subject(backend, dtype);
    if (dtype === 'int32') {
      await t.test('int32', (t) => integerConformance(t, subject));
      continue;
    }
    const tolerances = TOLERANCES[dtype];
    await t.test(dtype, async (t) => {
      await moveConformance(t, subject);
      await edgeConformance(t, subject);
      await elementwiseConformance(t, subject, tolerances);
      await reductionConformance(t, subject, tolerances);
      await matmulConformance(t, subject, tolerances);
      await convolutionConformance(t, subject, tolerances);
      await poolingConformance(t, subject, tolerances);
      await channelConformance(t, subject, tolerances);
      await quantizationConformance(t, subject, tolerances);
      await accumulatorConformance(t, subject);
      await weightConformance(t, subject, tolerances);
      await optimizerConformance(t, subject, tolerances);
      await fastPathConformance(t, subject, tolerances);
    });
  }
}
