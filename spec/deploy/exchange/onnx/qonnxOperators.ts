import {
  numbersOf,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxTensor,
} from '../../../../lib/deploy/exchange/onnx/model.js';

/**
 * A model whose QONNX operators are spelt out in those of ONNX, as the specification of each defines it, so that ONNX
 * Runtime can run it.
 */
export function withoutQonnx(model: OnnxModel): OnnxModel {
  const initializers = new Map(model.graph.initializers);
  const nodes = model.graph.nodes.flatMap((node) => {
    if (node.domain === '') return [node];
    if (node.op === 'MultiThreshold') return multiThreshold(node, initializers);
    if (node.op === 'Quant' || node.op === 'IntQuant') return quant(node, initializers);
    throw new Error(`${node.op} is none of QONNX's`);
  });
  return { ...model, opsets: new Map([['', 13]]), graph: { ...model.graph, nodes, initializers } };
}

class Chain {
  readonly nodes: OnnxNode[] = [];
  constructor(
    readonly node: OnnxNode,
    readonly initializers: Map<string, OnnxTensor>,
  ) {}

  constant(values: readonly number[], shape: readonly number[] = [], type: 'float32' | 'int64' = 'float32'): string {
    const name = `${this.node.name}?${this.initializers.size}`;
    this.initializers.set(name, onnxTensor(type, shape, values));
    return name;
  }

  step(op: string, inputs: readonly string[], attributes: Readonly<Record<string, number>> = {}): string {
    const name = `${this.node.name}!${this.nodes.length}`;
    const typed = Object.entries(attributes).map(([key, value]): [string, OnnxAttribute] => [
      key,
      { type: 'int', value },
    ]);
    this.nodes.push({ name, op, domain: '', inputs, outputs: [name], attributes: new Map(typed) });
    return name;
  }

  end(from: string): OnnxNode[] {
    const { name, outputs } = this.node;
    return [...this.nodes, { name, op: 'Identity', domain: '', inputs: [from], outputs, attributes: new Map() }];
  }
}

/** y = x / scale + zeropt; clamp, then round; (y − zeropt) · scale. */
function quant(node: OnnxNode, initializers: Map<string, OnnxTensor>): OnnxNode[] {
  const chain = new Chain(node, initializers);
  const [x, scale, zero, width] = node.inputs;
  const [bits] = numbersOf(initializers.get(width) as OnnxTensor);
  const flag = (name: string) => node.attributes.get(name)?.value === 1;
  if (node.attributes.get('rounding_mode')?.value !== 'ROUND') throw new Error('another rounding');
  const high = flag('signed') ? 2 ** (bits - 1) - 1 : 2 ** bits - (flag('narrow') ? 2 : 1);
  const low = flag('signed') ? -(2 ** (bits - 1)) + (flag('narrow') ? 1 : 0) : 0;
  const y = chain.step('Add', [chain.step('Div', [x, scale]), zero]);
  const clamped = chain.step('Clip', [y, chain.constant([low]), chain.constant([high])]);
  const rounded = chain.step('Round', [clamped]);
  return chain.end(chain.step('Mul', [chain.step('Sub', [rounded, zero]), scale]));
}

/** out_scale · #{t of the channel : v ≥ t} + out_bias, channels on axis 1. */
function multiThreshold(node: OnnxNode, initializers: Map<string, OnnxTensor>): OnnxNode[] {
  const chain = new Chain(node, initializers);
  const [v, thresholds] = node.inputs;
  const { shape, data } = initializers.get(thresholds) as OnnxTensor;
  if (node.attributes.get('data_layout')?.value !== 'NCHW') throw new Error('another layout');
  // Images and rows alike: [N, C, 1, H·W] against [C, T, 1].
  const flat = chain.step('Reshape', [v, chain.constant([0, shape[0] === 1 ? 1 : shape[0], 1, -1], [4], 'int64')]);
  const cuts = chain.constant(Array.from(data, Number), [...shape, 1]);
  const reached = chain.step('Cast', [chain.step('GreaterOrEqual', [flat, cuts])], { to: 1 });
  const count = chain.step('ReduceSum', [reached, chain.constant([2], [1], 'int64')], { keepdims: 0 });
  const number = (name: string) => chain.constant([Number(node.attributes.get(name)?.value)]);
  const out = chain.step('Add', [chain.step('Mul', [count, number('out_scale')]), number('out_bias')]);
  return chain.end(chain.step('Reshape', [out, chain.step('Shape', [v])]));
}
