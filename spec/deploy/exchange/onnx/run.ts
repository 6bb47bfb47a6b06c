import * as ort from 'onnxruntime-web';
import type { OnnxModel, OnnxValue } from '../../../../lib/deploy/exchange/onnx/model.js';
import { readModel, writeModel } from '../../../../lib/deploy/exchange/onnx/proto.js';
import type { IntegerGraph } from '../../../../lib/deploy/graph/graph.js';
import type { IntegerValue } from '../../../../lib/deploy/runtime/reference.js';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** The network with the numbers of its output as float32 has them, which is all that ONNX carries. */
export function inFloat32(graph: IntegerGraph): IntegerGraph {
  const decode = graph.output.decode.map(({ op, values }) => ({ op, values: values.map(Math.fround) }));
  return { ...graph, output: { ...graph.output, decode } };
}

/** Real numbers that stand for integers of a network's input. */
export function realInput({ input }: IntegerGraph, { shape, data }: IntegerValue): ort.Tensor {
  return new ort.Tensor(
    'float32',
    Float32Array.from(data, (q) => Math.fround(q * input.scale)),
    [...shape],
  );
}

/** A value of the ONNX graph. */
export type Watched = Pick<OnnxValue, 'name' | 'type'>;

/** Runs a model in ONNX Runtime. @param watch values that it should give beside its output */
export async function runOnnx(
  bytes: Uint8Array,
  input: ort.Tensor,
  watch: readonly Watched[] = [],
  options: ort.InferenceSession.SessionOptions = {},
): Promise<ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>> {
  const model = readModel(bytes, 'exported');
  const [{ name }] = model.graph.inputs;
  const watched: OnnxModel = {
    ...model,
    graph: { ...model.graph, outputs: [...model.graph.outputs, ...watch.map((value) => ({ ...value, shape: null }))] },
  };
  const session = await ort.InferenceSession.create(writeModel(watched), {
    ...{ executionProviders: ['wasm'], logSeverityLevel: 3 },
    ...options,
  });
  try {
    const results = await session.run({ [name]: input });
    return new Map(
      Object.entries(results).map(([key, { dims, data }]) => [
        key,
        { shape: dims, data: Array.from(data as Float32Array, Number) },
      ]),
    );
  } finally {
    await session.release();
  }
}
