import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Writes a deployed network, an input of it and what comes out, by the reference: `net.a2q.safetensors` and
 * `answer.json` (shape and integers of both).
 * @param root of the project @param folder where they go
 */
export async function writeNetwork(root, folder) {
  const module = (path) => import(pathToFileURL(join(root, 'dist', path)).href);
  const { randomGraph, randomInput } = await module('spec/deploy/randomGraph.js');
  const { encodeNetwork } = await module('lib/deploy/graph/file.js');
  const { runReference } = await module('lib/deploy/runtime/reference.js');
  const graph = randomGraph({ seed: 7, accumulatorBits: 12, zeros: 0.9 });
  const x = randomInput(graph, 3, 7);
  const plain = ({ shape, data }) => ({ shape, data: [...data] });
  await writeFile(join(folder, 'net.a2q.safetensors'), encodeNetwork(graph));
  await writeFile(join(folder, 'answer.json'), JSON.stringify({ x: plain(x), y: plain(runReference(graph, x)) }));
}

/** A function for programs of a consumer: whether a network, run on so many threads, gives the integers it should. */
export const RUN_NETWORK = `
  async function runsExactly(bytes, { x, y }, options) {
    const runtime = await createRuntime(loadNetwork(bytes), options);
    const { data } = await runtime.run({ shape: x.shape, data: Int32Array.from(x.data) });
    runtime.dispose();
    return data.length === y.data.length && data.every((value, i) => value === y.data[i]);
  }`;
