import * as ort from 'onnxruntime-web';
import { OnnxBuilder } from '../../lib/deploy/exchange/onnx/builder.js';
import { writeModel } from '../../lib/deploy/exchange/onnx/proto.js';
import type { GraphNode, IntegerGraph, IntegerTensor } from '../../lib/deploy/graph/graph.js';
import { inferShapes } from '../../lib/deploy/graph/shapes.js';

const MICROSOFT = 'com.microsoft';
const SCALE = 0.05;

/**
 * A network of the benchmark as ONNX Runtime runs it fastest: 8-bit operators (QLinearConv, QLinearAdd, …) with the
 * same weights and shapes. Scales are made up and nothing is clipped to 4 bits, which is less work than the network's.
 */
export function quantizedOnnx(graph: IntegerGraph, images: number): Uint8Array {
  const shapes = inferShapes(graph, [images, ...graph.input.shape]);
  const builder = new OnnxBuilder([graph.input.name]);
  const scale = builder.tensor('scale', 'float32', [], [SCALE]);
  const zero = builder.tensor('zero', 'uint8', [], [0]);
  const weightZero = builder.tensor('weightZero', 'int8', [], [0]);
  const names = new Map([[graph.input.name, graph.input.name]]);
  const at = (name: string) => names.get(name) as string;
  const weights = (name: string) => graph.tensors.get(name) as IntegerTensor;
  const made = (node: GraphNode): string => {
    const [x] = node.inputs.map(at);
    switch (node.op) {
      case 'conv': {
        const { shape, data } = weights(node.weights);
        const w = builder.tensor(node.weights, 'int8', shape, data);
        const r = [1, 1, node.resize, node.resize];
        const from =
          node.resize === 1
            ? x
            : builder.node('resize', 'Resize', [x, '', builder.tensor('sizes', 'float32', [4], r)], {
                ...{ mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' },
              });
        return builder.node(node.name, 'QLinearConv', [from, scale, zero, w, scale, weightZero, scale, zero], {
          ...{ strides: node.stride, pads: [...node.padding, ...node.padding], dilations: node.dilation },
        });
      }
      case 'add':
        return builder.node(
          node.name,
          'QLinearAdd',
          [x, scale, zero, at(node.inputs[1]), scale, zero, scale, zero],
          {},
          MICROSOFT,
        );
      case 'sumPool':
        return builder.node(node.name, 'QLinearGlobalAveragePool', [x, scale, zero, scale, zero], {}, MICROSOFT);
      case 'reshape':
        return builder.node(node.name, 'Flatten', [x]);
      case 'linear': {
        const { shape, data } = weights(node.weights);
        const turned = Array.from(data, (_, i) => data[(i % shape[0]) * shape[1] + Math.floor(i / shape[0])]);
        const w = builder.tensor(node.weights, 'int8', [shape[1], shape[0]], turned);
        return builder.node(node.name, 'QLinearMatMul', [x, scale, zero, w, scale, weightZero, scale, zero]);
      }
      case 'requantize':
        return x;
      default:
        throw new Error(`no ${node.op} in this benchmark`);
    }
  };
  for (const node of graph.nodes) names.set(node.name, made(node));
  const value = (name: string, of: string) => ({ name, type: 'uint8', shape: shapes.get(of) ?? null }) as const;
  return writeModel({
    ...{ irVersion: 8, producer: 'bench', metadata: new Map() },
    opsets: new Map([
      ['', 13],
      [MICROSOFT, 1],
    ]),
    graph: builder.graph({
      name: graph.name,
      inputs: [value(graph.input.name, graph.input.name)],
      outputs: [value(at(graph.output.value), graph.output.value)],
    }),
  });
}

/** Something that runs once, and how to end it. */
export interface OnnxRun {
  run(): Promise<number>;
  close(): Promise<void>;
}

/** A session of ONNX Runtime on bytes. @param threads of the process: the first call decides */
export async function onnxRun(
  model: Uint8Array,
  input: string,
  x: Uint8Array,
  shape: readonly number[],
  threads: number,
): Promise<OnnxRun> {
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  return {
    async run() {
      const results = await session.run({ [input]: new ort.Tensor('uint8', x, shape) });
      const [{ data }] = Object.values(results);
      return Number((data as Uint8Array)[0]);
    },
    close: () => session.release(),
  };
}
