import fc from 'fast-check';
import t from 'tap';
import { ALIGNMENT, Allocator, type Block } from '../../../lib/kernels/wasm/allocator.js';
import { BackendError } from '../../../lib/tensor/errors.js';

const noMore = () => null;

t.test('blocks are aligned, disjoint, and hold what was asked for', async (t) => {
  const allocator = new Allocator(65536, 65536 + 1024 * ALIGNMENT, noMore);
  const blocks = [1, 63, 64, 65, 1000, 4096, 5000].map((bytes) => ({ bytes, block: allocator.allocate(bytes) }));
  for (const { bytes, block } of blocks) {
    t.equal(block.address % ALIGNMENT, 0);
    t.ok(block.bytes >= bytes && block.bytes < bytes + ALIGNMENT);
  }
  const sorted = blocks.map(({ block }) => block).sort((a, b) => a.address - b.address);
  for (let i = 1; i < sorted.length; i++) t.ok(sorted[i - 1].address + sorted[i - 1].bytes <= sorted[i].address);
  t.equal(allocator.used, 64 + 64 + 64 + 128 + 1024 + 4096 + 5056);
});

t.test('freed neighbours become one block again, in any order of freeing', async (t) => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
    [2, 0, 3, 1],
  ]) {
    const allocator = new Allocator(0, 4096, noMore);
    const blocks = [1024, 1024, 1024, 1024].map((bytes) => allocator.allocate(bytes));
    for (const i of order) allocator.release(blocks[i]);
    t.equal(allocator.used, 0);
    t.equal(allocator.allocate(4096).address, 0);
  }
});

t.test('exhaustion says what was asked for and what is in use; freeing heals it', async (t) => {
  const allocator = new Allocator(0, 1024, noMore);
  const block = allocator.allocate(640);
  t.throws(() => allocator.allocate(448), {
    name: 'BackendError',
    op: 'alloc',
    message:
      'alloc: out of memory: 448 bytes asked for, 640 of 1024 bytes in use and no room to grow; ' +
      'free tensors by scope() or dispose(), or take smaller batches',
  });
  allocator.release(block);
  t.equal(allocator.allocate(1024).address, 0);
});

t.test('a block freed twice is refused', async (t) => {
  const allocator = new Allocator(0, 1024, noMore);
  const block = allocator.allocate(64);
  allocator.release(block);
  t.throws(() => allocator.release(block), BackendError);
});

t.test('grows by what is missing behind the last free block', async (t) => {
  const asked: number[] = [];
  const allocator = new Allocator(0, 1024, (end) => {
    asked.push(end);
    return end + 512;
  });
  const first = allocator.allocate(512);
  t.equal(allocator.allocate(1024).address, 512, 'starts in the free half');
  t.same(asked, [1536]);
  t.equal(allocator.capacity, 2048);
  allocator.release(first);
  t.equal(allocator.allocate(512).address, 0);
});

t.test('random histories: live blocks never overlap, and all memory returns', async () => {
  const history = fc.array(
    fc.oneof(fc.record({ take: fc.integer({ min: 0, max: 20000 }) }), fc.record({ drop: fc.nat() })),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(history, (steps) => {
      let limit = 0;
      const allocator = new Allocator(0, 0, (end) => {
        limit = Math.ceil(end / 8192) * 8192;
        return limit;
      });
      const live: Block[] = [];
      for (const step of steps) {
        if ('take' in step) {
          const block = allocator.allocate(step.take);
          const end = block.address + block.bytes;
          if (end > limit || live.some((other) => block.address < other.address + other.bytes && other.address < end)) {
            return false;
          }
          live.push(block);
        } else if (live.length > 0) {
          allocator.release(live.splice(step.drop % live.length, 1)[0]);
        }
        if (allocator.used !== live.reduce((sum, { bytes }) => sum + bytes, 0)) return false;
      }
      for (const block of live) allocator.release(block);
      return limit === 0 || (allocator.used === 0 && allocator.allocate(limit).address === 0);
    }),
    { seed: 3 },
  );
});
