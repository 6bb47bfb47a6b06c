import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { batchesOf } from '../../lib/data/batchSource.js';
import type { Batch } from '../../lib/data/dataset.js';
import { decodeOutput, quantizeInput } from '../../lib/deploy/graph/decode.js';
import { endingAt } from '../../lib/deploy/graph/endingAt.js';
import { decodeNetwork, encodeNetwork } from '../../lib/deploy/graph/file.js';
import type { GraphNode, IntegerGraph } from '../../lib/deploy/graph/graph.js';
import { observeIntegers } from '../../lib/deploy/lowering/observe.js';
import type { Requantization } from '../../lib/deploy/lowering/requantize.js';
import { createRuntime } from '../../lib/deploy/runtime/createRuntime.js';
import { type IntegerValue, runReference } from '../../lib/deploy/runtime/reference.js';
import type { Module } from '../../lib/nn/module.js';
import { tensor } from '../../lib/tensor/create.js';
import { dispose } from '../../lib/tensor/storage.js';
import { lowerTrained } from '../../lib/train/lowerTrained.js';
import { locateData, openData } from '../../lib/train/node/datasets.js';
import { openTrained } from '../../lib/train/node/openTrained.js';
import { type Task, taskOf } from '../../lib/train/task.js';
import { startEngine } from './engines.js';

/** What is compared, and on how much. */
export interface ExactOptions {
  readonly engines: readonly string[];
  readonly dataDir: string | undefined;
  readonly requantization: Requantization;
  readonly enginesOnly: boolean;
  /** What computes the integers that are compared with the model's. */
  readonly layers: 'reference' | 'wasm';
  readonly batchSize: number | null;
  readonly limitBatches: number | null;
}

/** How a layer, an engine or the output compares. */
interface Comparison {
  readonly op: string;
  compared: number;
  differing: number;
  /** Largest difference. */
  largest: number;
}

/** A line of the report. */
export type Line =
  | ({ readonly layer: string } & Comparison)
  | ({ readonly engine: string; readonly name: string; readonly sha256: string } & Comparison)
  | Summary;

/** What a run comes to; metrics are means over the images, null without the trained model. */
interface Summary {
  readonly images: number;
  readonly layers: ExactOptions['layers'];
  readonly requantization: Requantization;
  readonly metricName: string;
  readonly metricOfModel: number | null;
  readonly metricOfIntegers: number | null;
  readonly node: string;
  readonly seconds: number;
}

/** Compares a run's network, as its file holds it, with its model and between engines. */
export async function* compareRun(run: string, options: ExactOptions): AsyncGenerator<Line> {
  const start = performance.now();
  const { model, checkpoint } = await openTrained(join(run, 'best.safetensors'));
  const { config } = checkpoint;
  const lowered = await lowerTrained(model, config, { requantization: options.requantization });
  const graph = decodeNetwork(encodeNetwork(lowered), run);
  const found = await locateData(config.dataset, options.dataDir, { splits: ['test'] });
  const source = config.classNames ? { ...found, classes: config.classNames } : found;
  const data = await openData(source, 'test', () => undefined);
  const batchSize = options.batchSize ?? (data.kind === 'labels' ? 100 : 1);
  const limit = options.limitBatches ?? Number.POSITIVE_INFINITY;
  const walk = options.layers === 'wasm' ? await wasmWalk(graph) : referenceWalk(graph);
  const layers = options.enginesOnly ? null : new LayerComparison(model, graph, taskOf(data), walk);
  const engines = await Promise.all(options.engines.map((engine) => EngineComparison.start(engine, graph)));
  let images = 0;
  try {
    for await (const batch of batchesOf(data, { batchSize, limit, balanced: true })) {
      const x = quantizeInput(graph, batch.inputs, batch.inputShape);
      const wanted = layers === null ? null : await layers.see(batch, x);
      for (const engine of engines) await engine.see(x, wanted);
      images += batch.size;
    }
  } finally {
    for (const engine of engines) engine.close();
    model.dispose();
  }
  if (layers) yield* layers.lines();
  for (const engine of engines) yield engine.line();
  const { model: ofModel, integers } = layers?.scores ?? { model: null, integers: null };
  yield {
    ...{ images, layers: options.layers, requantization: options.requantization, metricName: taskOf(data).metric },
    metricOfModel: ofModel === null ? null : ofModel / images,
    metricOfIntegers: integers === null ? null : integers / images,
    ...{ node: process.version, seconds: (performance.now() - start) / 1000 },
  };
}

/** Shows every value of a network for an input. @returns that of its output */
type Walk = (x: IntegerValue, see: (node: GraphNode, value: IntegerValue) => void) => Promise<IntegerValue>;

function referenceWalk(graph: IntegerGraph): Walk {
  return async (x, see) => runReference(graph, x, { see });
}

/** By a network for each value, which ends there. */
async function wasmWalk(graph: IntegerGraph): Promise<Walk> {
  const parts = graph.nodes.map(async (node) => ({ node, part: await createRuntime(endingAt(graph, node.name)) }));
  const started = await Promise.all(parts);
  return async (x, see) => {
    let output = x;
    for (const { node, part } of started) {
      const value = await part.run(x);
      see(node, value);
      if (node.name === graph.output.value) output = value;
    }
    return output;
  };
}

/** The trained model against its integers, at every value. */
class LayerComparison {
  readonly #layers = new Map<string, Comparison>();
  readonly scores = { model: 0, integers: 0 };

  constructor(
    readonly model: Module,
    readonly graph: IntegerGraph,
    readonly task: Task,
    readonly walk: Walk,
  ) {}

  /** @returns the output of the network */
  async see(batch: Batch, x: IntegerValue): Promise<IntegerValue> {
    const { model, graph, task } = this;
    const inputs = tensor(batch.inputs, batch.inputShape);
    const { values, output } = await observeIntegers(model, inputs);
    dispose(inputs);
    this.#compare(graph.input.name, 'input', x.data, values.get(graph.input.name)?.data);
    const made = await this.walk(x, ({ name, op }, { data }) => {
      this.#compare(name, op, data, values.get(name)?.data);
    });
    const decoded = decodeOutput(graph, made);
    this.#compare('output', 'decode', decoded, output.data);
    this.scores.model += task.score(output.data, batch.targets, batch.size);
    this.scores.integers += task.score(decoded, batch.targets, batch.size);
    return made;
  }

  #compare(name: string, op: string, got: ArrayLike<number>, want: ArrayLike<number> | undefined): void {
    const tally = this.#layers.get(name) ?? comparison(op);
    this.#layers.set(name, tally);
    if (want) count(tally, got, want);
  }

  *lines(): Generator<Line> {
    for (const [layer, each] of this.#layers) yield { layer, ...each };
  }
}

/** An engine against the reference. */
class EngineComparison {
  readonly #tally = comparison('network');
  readonly #hash = createHash('sha256');

  private constructor(
    readonly engine: string,
    readonly runtime: Awaited<ReturnType<typeof startEngine>>,
  ) {}

  static async start(engine: string, graph: IntegerGraph): Promise<EngineComparison> {
    return new EngineComparison(engine, await startEngine(engine, graph));
  }

  async see(x: IntegerValue, wanted: IntegerValue | null): Promise<void> {
    const { data } = await this.runtime.run(x);
    this.#hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    if (wanted) count(this.#tally, data, wanted.data);
  }

  line(): Line {
    const { engine, runtime } = this;
    return { engine, name: runtime.name, ...this.#tally, sha256: this.#hash.copy().digest('hex') };
  }

  close(): void {
    this.runtime.dispose();
  }
}

function comparison(op: string): Comparison {
  return { op, compared: 0, differing: 0, largest: 0 };
}

function count(tally: Comparison, got: ArrayLike<number>, want: ArrayLike<number>): void {
  if (got.length !== want.length) throw new Error(`${got.length} values do not compare with ${want.length}`);
  tally.compared += got.length;
  for (let i = 0; i < got.length; i++) {
    const apart = Math.abs(got[i] - want[i]);
    if (apart === 0) continue;
    tally.differing += 1;
    tally.largest = Math.max(tally.largest, apart);
  }
}
