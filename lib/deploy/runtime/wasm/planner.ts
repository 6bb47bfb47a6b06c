import { sizeOf } from '../../../tensor/shape.js';
import type {
  AddNode,
  ConcatNode,
  GraphNode,
  IntegerGraph,
  IntegerTensor,
  LinearNode,
  RequantizeNode,
  SumPoolNode,
} from '../../graph/graph.js';
import type { PlannedNode } from '../runtime.js';
import type { Engine, Job } from './engine.js';
import { finishOf } from './finish.js';
import { endOf, MOST_AXES, moveJob, movingKernel, packJob, unpackJob } from './moves.js';
import { bytesOf, type Place, planesOf, stridesOf } from './places.js';
import { Planning, type PlanOptions, type Staged, type Step } from './planning.js';
import { planMaximum, planSums, repeatJob, windowed } from './windowPlans.js';

/** How a network runs on inputs of one shape. */
export interface Plan {
  readonly input: Staged;
  readonly output: Staged;
  readonly steps: readonly Step[];
  readonly nodes: readonly PlannedNode[];
}

/** Chooses kernels for all nodes, packs weights, and gives every value its place. */
export function planned(graph: IntegerGraph, engine: Engine, shape: readonly number[], options: PlanOptions): Plan {
  const planning = new Planning(graph, engine, shape, options);
  const windows = graph.nodes.map((node) => windowed(planning, node));
  const input = planning.staged(planning.newPlace(graph.input.name), (_, place, width, address) =>
    packJob(engine, width, address, place),
  );
  for (const [i, node] of graph.nodes.entries()) {
    const window = windows[i];
    if (planning.isMade(node.name)) continue;
    if (window === null) planNode(planning, node);
    else if (window.weights === null) planMaximum(planning, window);
    else planSums(planning, { ...window, weights: window.weights });
  }
  const output = planning.staged(planning.place(graph.output.value), unpackJob);
  return { input, output, steps: planning.steps, nodes: planning.nodes };
}

function planNode(planning: Planning, node: GraphNode): void {
  switch (node.op) {
    case 'linear':
      planLinear(planning, node);
      return;
    case 'add':
      planAdd(planning, node);
      return;
    case 'sumPool':
      planPlaneSums(planning, node);
      return;
    case 'requantize':
      planRequantize(planning, node);
      return;
    case 'concat':
      planConcat(planning, node);
      return;
    case 'upsample': {
      const x = planning.place(node.inputs[0]);
      const out = planning.newPlace(node.name, x.width);
      planning.add(node, 'copies', [repeatJob(planning, x, out, node.factor)]);
      return;
    }
    case 'reshape':
    case 'permute':
    case 'pixelShuffle':
      planMoves(planning, node);
      return;
    default:
      planning.host(node);
  }
}

/** Rows of int16: inputs are spread out once, weights at the start. */
function planLinear(planning: Planning, node: LinearNode): void {
  const { engine, graph } = planning;
  const x = planning.place(node.inputs[0]);
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const [outputs, length] = shape;
  if (x.width === 'int32' || data.some((weight) => Math.abs(weight) >= 2 ** 15)) {
    planning.host(node);
    return;
  }
  const images = x.grid.images;
  const row = Math.ceil(length / 8) * 8;
  const weights = new Int16Array(outputs * row);
  for (let o = 0; o < outputs; o++) weights.set(data.subarray(o * length, (o + 1) * length), o * row);
  const rows = { address: engine.allocate(images * row * 2), strides: [row * 2, 2] };
  const out = planning.newPlace(node.name, 'int32');
  const [outImage, outPlane] = stridesOf(out);
  const spread = moveJob(engine, x.width === 'uint8' ? 'spreadUnsigned' : 'spread', [images, length], endOf(x), rows);
  const product: Job = {
    kernel: 'linear',
    units: outputs,
    cost: (row / 8) * images * 0.4,
    scratch: 0,
    arguments: [rows.address, engine.keep(weights), row * 2, images, out.address, outPlane, outImage],
  };
  planning.add(node, 'rows of int16', [spread, product]);
}

function planAdd(planning: Planning, node: AddNode): void {
  const out = planning.newPlace(node.name);
  const terms = node.inputs.map((name) => planning.as(planning.place(name), out.width));
  const kernel = out.width === 'int32' ? 'addWords' : 'addBytes';
  const units = (out.planes * out.grid.lanes * bytesOf(out.width)) / 16;
  const jobs: Job[] = [];
  let sum = terms[0].address;
  // One term alone is added to nothing: zeros, from a place that holds no more.
  const others = terms.length > 1 ? terms.slice(1).map(({ address }) => address) : [zeros(planning, out)];
  for (const address of others) {
    jobs.push({ kernel, units, cost: 0.5, scratch: 0, arguments: [sum, address, out.address] });
    sum = out.address;
  }
  planning.add(node, `sums ${out.width === 'int32' ? 'int32' : 'int8'}`, jobs);
}

function zeros({ grids }: Planning, like: Place): number {
  return grids.place(like.shape, like.low, like.high, like.width).address;
}

/** Sums of whole planes. */
function planPlaneSums(planning: Planning, node: SumPoolNode): void {
  const x = planning.place(node.inputs[0]);
  if (x.width === 'int32') {
    planning.host(node);
    return;
  }
  const out = planning.newPlace(node.name, 'int32');
  const [, rows, columns] = planesOf(x.shape);
  const { images, imageStep, rowStep, lanes } = x.grid;
  const [outImage, outPlane] = stridesOf(out);
  const job: Job = {
    kernel: x.width === 'uint8' ? 'sumPlanesUnsigned' : 'sumPlanes',
    units: x.planes,
    cost: images * rows * columns * 0.5,
    scratch: 0,
    arguments: [x.address, lanes, images, imageStep, rows, rowStep, columns, out.address, outPlane, outImage],
  };
  planning.add(node, 'sums of planes', [job]);
}

/** Lanes that assembly/finish.ts requantizes at once, as int16 in scratch. */
const RUN = 128;

function planRequantize(planning: Planning, node: RequantizeNode): void {
  const { engine, graph } = planning;
  const x = planning.place(node.inputs[0]);
  const bits = x.width === 'int32' ? 32 : 16;
  const range = planning.rangeOf(node.inputs[0]);
  const finish =
    planning.widthOf(node.name) === 'int32' ? null : finishOf(engine, node, graph.tensors, range, x.planes, 1, bits);
  if (finish === null) {
    planning.host(node);
    return;
  }
  const out = planning.newPlace(node.name);
  const { lanes, mask } = x.grid;
  const job: Job = {
    kernel: 'requantize',
    units: x.planes,
    cost: lanes * (finish.name === 'search' ? 10 : 0.3),
    scratch: RUN * 2,
    arguments: [
      ...[x.address, bytesOf(x.width), x.width === 'uint8' ? 1 : 0, lanes],
      ...[finish.kind, finish.records, finish.step, mask, out.address],
    ],
  };
  planning.add(node, finish.name, [job]);
}

function planConcat(planning: Planning, node: ConcatNode): void {
  const out = planning.newPlace(node.name);
  const jobs: Job[] = [];
  let plane = 0;
  for (const name of node.inputs) {
    const x = planning.place(name);
    const address = out.address + plane * out.grid.lanes * bytesOf(out.width);
    const kernel = movingKernel(x.width, out.width);
    jobs.push(moveJob(planning.engine, kernel, x.shape, endOf(x), { address, strides: stridesOf(out) }));
    plane += x.planes;
  }
  planning.add(node, 'copies', jobs);
}

/** The same integers elsewhere. */
function planMoves(planning: Planning, node: Extract<GraphNode, { op: 'reshape' | 'permute' | 'pixelShuffle' }>): void {
  const { engine } = planning;
  const x = planning.place(node.inputs[0]);
  if (x.shape.length > MOST_AXES || planning.shapeOf(node.name).length > MOST_AXES) {
    planning.host(node);
    return;
  }
  const out = planning.newPlace(node.name, x.width);
  const [from, to] = [stridesOf(x), stridesOf(out)];
  const kernel = movingKernel(x.width, x.width);
  const move = (extents: readonly number[], source: readonly number[], target: readonly number[]) =>
    moveJob(
      engine,
      kernel,
      extents,
      { address: x.address, strides: source },
      { address: out.address, strides: target },
    );
  if (node.op === 'permute') {
    const extents = node.axes.map((axis) => x.shape[axis]);
    const source = node.axes.map((axis) => from[axis]);
    planning.add(node, 'copies', [move(extents, source, to)]);
    return;
  }
  if (node.op === 'pixelShuffle') {
    const r = node.factor;
    const [n, c, h, w] = x.shape;
    const extents = [n, c / r ** 2, r, r, h, w];
    const source = [from[0], from[1] * r * r, from[1] * r, from[1], from[2], from[3]];
    const target = [to[0], to[1], to[2], to[3], to[2] * r, to[3] * r];
    planning.add(node, 'copies', [move(extents, source, target)]);
    return;
  }
  const address = engine.allocate(sizeOf(x.shape) * bytesOf(x.width));
  const jobs = [unpackJob(engine, x, x.width, address), packJob(engine, x.width, address, out)];
  planning.add(node, 'copies', jobs);
}
