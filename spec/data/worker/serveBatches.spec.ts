import t from 'tap';
import type { Batch } from '../../../lib/data/dataset.js';
import type { Reply, Request } from '../../../lib/data/worker/protocol.js';
import { serveBatches } from '../../../lib/data/worker/serveBatches.js';
import { openSample, type SampleData } from './sampleData.js';

/** A port whose other end is this test. */
function makePort() {
  const sent: { reply: Reply; transfer: ArrayBuffer[] }[] = [];
  let hear: (event: object) => unknown = () => undefined;
  const port = {
    addEventListener: (_type: 'message', listener: (event: object) => void) => {
      hear = listener;
    },
    postMessage: (reply: unknown, transfer: ArrayBuffer[]) => void sent.push({ reply: reply as Reply, transfer }),
  };
  serveBatches(port, (data: SampleData) => openSample(data));
  const ask = async (data: Request) => {
    await hear({ data });
    return sent.splice(0);
  };
  return ask;
}

t.test('every array of a batch is handed over, none is copied', async (t) => {
  for (const kind of ['glyphs', 'photographs'] as const) {
    const ask = makePort();
    const [{ reply: opened }] = await ask({ kind: 'open', description: { kind } });
    t.equal(opened.kind, 'opened');
    t.same(await ask({ kind: 'start', stream: 5, options: { batchSize: 2 } }), [], 'nothing is made unasked');
    const [{ reply, transfer }] = await ask({ kind: 'next', stream: 5 });
    const batch = (reply as { batch: Batch }).batch;
    t.same(
      new Set(transfer),
      new Set([batch.inputs, batch.targets, batch.indices].map(({ buffer }) => buffer)),
      'three buffers',
    );
    t.equal(batch.inputs.byteLength, batch.inputs.buffer.byteLength, 'of which nothing else is a view');
  }
});

t.test('what is not under way has no batches', async (t) => {
  const ask = makePort();
  await ask({ kind: 'open', description: { kind: 'glyphs' } });
  const none = [{ reply: { kind: 'batch', batch: null }, transfer: [] }];
  t.same(await ask({ kind: 'next', stream: 1 }), none, 'not begun');
  await ask({ kind: 'start', stream: 1, options: { batchSize: 30 } });
  await ask({ kind: 'next', stream: 1 });
  t.same(await ask({ kind: 'next', stream: 1 }), none, 'at its end');
  await ask({ kind: 'start', stream: 2, options: { batchSize: 10 } });
  await ask({ kind: 'stop', stream: 2 });
  t.same(await ask({ kind: 'next', stream: 2 }), none, 'given up');
});
