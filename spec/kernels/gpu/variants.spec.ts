import t from 'tap';
import { createGpuBackend, VARIANTS } from '../../../lib/kernels/gpu/index.js';
import { Subject } from '../conformance/subject.js';
import { sameBits } from './variants.js';

t.test('variants give the same bits', async (t) => {
  for (const mode of ['webasm', 'cpu'] as const) {
    const [plain, ...others] = await Promise.all(VARIANTS.map((variant) => createGpuBackend({ mode, variant })));
    t.match(plain.describe(), { mode, variant: 'plain' });
    await t.test(mode, (t) => sameBits(t, plain, others, 'all'));
  }
});

t.test('the choice is measured once, and no number depends on it', async (t) => {
  const backend = await createGpuBackend({ mode: 'webasm' });
  t.match(backend.describe(), { variant: 'measured', choices: [] });
  const subject = new Subject(backend, 'float32');
  const [a, b] = [subject.array([1, 40, 60]), subject.array([1, 60, 50])];
  const product = async () => {
    const view = backend.matmul(subject.view(a), subject.view(b));
    const numbers = await subject.read(view);
    view.storage.dispose();
    return numbers;
  };
  const first = await product();
  await backend.finished();
  const [choice, ...others] = backend.describe().choices;
  t.equal(choice.op, 'matmul [1, 40, 60] · [1, 60, 50]');
  t.same(Object.keys(choice.times ?? {}).sort(), ['column', 'plain', 'row', 'square']);
  t.same(others, []);
  t.same(await product(), first);
  t.equal(backend.describe().choices[0], choice, 'and not measured again');
});

t.test('an unknown variant is refused', async (t) => {
  await t.rejects(createGpuBackend({ mode: 'webasm', variant: 'diagonal' as 'row' }), {
    name: 'BackendError',
    message: /there is no variant 'diagonal'; choose one of measured, plain, row/,
  });
});
