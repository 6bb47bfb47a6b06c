import { formatShape } from '../../../tensor/errors.js';
import { sameShape, sizeOf } from '../../../tensor/shape.js';
import type { GraphNode, IntegerGrid } from '../../graph/graph.js';
import { type ChannelRange, extremesOf } from '../../graph/ranges.js';
import { shapeOf } from '../../graph/shapes.js';
import { findThresholds } from '../../graph/thresholds.js';
import { GraphBuilder } from '../../lowering/builder.js';
import type { Unnamed } from '../../lowering/unnamed.js';
import { computeNode, type IntegerValue } from '../../runtime/reference.js';
import type { ImportNode } from './importNode.js';
import { channelsOf, countThresholds, multiply, type Program, type Step, transferOf } from './importProgram.js';
import {
  type Constant,
  expanded,
  type Grid,
  MOST_NUMBERS,
  type Move,
  type MoveNode,
  type Traced,
  uniform,
} from './importValues.js';

/** Most steps of a grid that thresholds are looked for. */
const MOST_STEPS = 4095;

/** What MultiThreshold makes of a count if it is not told. */
const COUNT = { outScale: 1, outBias: 0 };

/** What integers are worth, and whether the file holds them as integers. */
export interface Worth {
  readonly step: number;
  readonly integer?: boolean;
}

/** A value whose integers are a value of the graph. */
export interface Settled extends Traced {
  readonly source: string;
  readonly grid: Grid;
}

/** Builds the graph: puts values on grids, moves them, and runs constants and programs against each other. */
export class Importer {
  builder = new GraphBuilder();
  readonly notes = new Set<string>();
  readonly #settled = new WeakMap<Program, { readonly moves: readonly Move[]; readonly value: Settled }[]>();
  readonly #counted = new WeakMap<Traced, { readonly of: Traced; readonly rows: readonly Float64Array[] }>();
  readonly #shape: readonly number[];
  #input: IntegerGrid | null = null;

  /** @param shape of the network's input, with its batch */
  constructor(shape: readonly number[]) {
    this.#shape = shape;
  }

  /** The network's input, before any quantizer. */
  start(): Traced {
    const nothing = { source: null, program: [], grid: null, plain: false, moves: [], pads: null, integer: false };
    return { kind: 'traced', shape: this.#shape, ...nothing };
  }

  /** Puts the network's input on a grid, of which there is one. @param x the input, and how it was moved */
  input(node: ImportNode, grid: IntegerGrid, x: Pick<Traced, 'moves'>): Settled {
    const known = this.#input;
    this.#input ??= grid;
    if (known !== null && (known.low !== grid.low || known.high !== grid.high || known.scale !== grid.scale)) {
      node.fail('puts the input of the network on another grid than a Quant node before: use one');
    }
    this.builder.input(grid, this.#shape);
    return this.#moved(node, this.plain('input', { step: grid.scale }), x.moves);
  }

  /** Narrows the input's grid, as long as nothing reads it. @returns whether it could */
  narrowInput({ source, moves }: Traced, { low, high }: Grid): boolean {
    if (source !== 'input' || moves.length > 0 || this.builder.nodes.length > 0 || this.#input === null) return false;
    if (low > 0 || high < 0 || low === high) return false;
    this.#input = { ...this.#input, low, high };
    this.builder = new GraphBuilder();
    this.builder.input(this.#input, this.#shape);
    return true;
  }

  /** Adds a node. @returns its integers as a value, each worth `grid.step` */
  made(node: ImportNode, wanted: string, given: Unnamed<GraphNode>, worth: Worth): Settled {
    return this.plain(
      node.within(() => this.builder.add(wanted, given)),
      worth,
    );
  }

  /** The integers of a value of the graph, each worth a step. */
  plain(source: string, { step, integer = false }: Worth): Settled {
    const { low, high } = extremesOf(this.builder.range(source));
    const shape = this.builder.shapes.get(source) as readonly number[];
    const program = step === 1 ? [] : [multiply([step])];
    return {
      ...{ kind: 'traced', shape, source, program, plain: true, moves: [], pads: null, integer },
      grid: { step, low, high, name: source },
    };
  }

  /**
   * The value as integers of the graph: at once where it is that, else by thresholds on the integers it comes from.
   * @throws DataError naming the node that wants them, if the value lies on no grid
   */
  settle(node: ImportNode, x: Traced): Settled {
    // A cast shares its operand's program: both are one value.
    const known = this.#settled.get(x.program)?.find(({ moves }) => moves === x.moves);
    if (known) return { ...known.value, integer: x.integer };
    const { source, grid, program } = x;
    if (source === null) node.fail('reads the input before a Quant node has put it on a grid');
    if (grid === null) return node.fail('reads values that are on no grid: a Quant node is missing before it');
    const made = x.plain ? source : this.#requantize(node, source, program, grid);
    const settled = this.#moved(node, this.plain(made, { step: grid.step, integer: x.integer }), x.moves);
    this.#settled.set(x.program, [...(this.#settled.get(x.program) ?? []), { moves: x.moves, value: settled }]);
    return settled;
  }

  /** Whether a value can be put on its grid without thresholds beyond number. */
  canSettle({ source, grid, plain }: Traced): boolean {
    return source !== null && grid !== null && (plain || grid.high - grid.low <= MOST_STEPS);
  }

  #requantize(node: ImportNode, source: string, program: Program, { step, name, ...range }: Grid): string {
    const grid = { low: Math.min(0, range.low), high: Math.max(0, range.high) };
    if (grid.low === grid.high) return node.fail('reads a value that is always 0');
    const channels = channelsOf(program);
    return node.within(() => {
      const reach = this.#reach(source, channels);
      const found = findThresholds(transferOf(program, step, channels), reach, grid);
      const keep = (key: 'thresholds' | 'sign' | 'base') =>
        this.builder.keep(`${name}.${key}`, found[key].shape, found[key].data);
      const tensors = { thresholds: keep('thresholds'), sign: keep('sign'), base: keep('base') };
      const common = { op: 'requantize', mode: 'thresholds', inputs: [source] } as const;
      return this.builder.add(name, { ...common, ...grid, scale: step, ...tensors });
    });
  }

  #reach(source: string, channels: number): ChannelRange {
    const range = this.builder.range(source);
    if (range.low.length === channels) return range;
    const { low, high } = extremesOf(range);
    return { low: new Float64Array(channels).fill(low), high: new Float64Array(channels).fill(high) };
  }

  /** Moves integers now, or those of the next grid later. */
  move(node: ImportNode, x: Traced, given: MoveNode): Traced {
    const move = { name: node.name, node: given };
    const isSum = x.plain && x.grid !== null && x.grid.high - x.grid.low > MOST_STEPS;
    if (this.canSettle(x) && !isSum) return this.#moved(node, this.settle(node, x), [move]);
    const shape = node.within(() => shapeOf({ ...given, name: node.name } as GraphNode, [x.shape], new Map()));
    return { ...x, shape, moves: [...x.moves, move] };
  }

  #moved(node: ImportNode, x: Settled, moves: readonly Move[]): Settled {
    const { grid, integer } = x;
    return moves.reduce((value, { name, node: move }) => {
      const given = { ...move, inputs: [value.source] } as Unnamed<GraphNode>;
      return this.made(node, name, given, { step: grid.step, integer });
    }, x);
  }

  /** Does one more operation to a value. @param grid that the results lie on, if that is known */
  follow(node: ImportNode, x: Traced, step: Step, grid: Grid | null): Traced {
    if (!step.rises && x.moves.some((move) => move.node.op === 'maxPool')) {
      node.fail('falls where its input rises, behind a MaxPool and before a Quant node: put one before the MaxPool');
    }
    return { ...x, program: [...x.program, step], grid, plain: false };
  }

  /** How many thresholds a value reaches, of a row a channel or of one for all. */
  count(node: ImportNode, x: Traced, rows: readonly Float64Array[], { outScale, outBias } = COUNT): Traced {
    if (rows.length > 1 && this.originOf(node, x) !== null) node.fail('follows channels that were mixed');
    const low = outBias / outScale;
    const steps = rows[0].length;
    const grid = Number.isInteger(low) ? { step: outScale, low, high: low + steps, name: node.name } : null;
    const made = this.follow(node, x, countThresholds(rows, { outScale, outBias }), grid);
    this.#counted.set(made, { of: x, rows });
    return made;
  }

  /** The sum of two counts of one value: more thresholds. Null if they are none. */
  joinCounts(node: ImportNode, a: Traced, b: Traced): Traced | null {
    const [left, right] = [this.#counted.get(a), this.#counted.get(b)];
    if (left === undefined || right === undefined || left.of !== right.of) return null;
    if (left.rows.length !== right.rows.length) return null;
    const rows = left.rows.map((row, c) => Float64Array.of(...row, ...right.rows[c]));
    return this.count(node, left.of, rows);
  }

  /**
   * The numbers of a constant operand for each channel of the value's source, or one for all.
   * @throws DataError if they differ within a channel
   */
  operand(node: ImportNode, x: Traced, operand: Constant): ArrayLike<number> {
    const { shape } = operand;
    const lead = shape.findIndex((extent) => extent !== 1);
    const extents = lead === -1 ? [] : shape.slice(lead);
    const axis = x.shape.length - extents.length;
    const varies = extents.some((extent, i) => extent !== 1 && axis + i !== 1);
    if (operand.data.length === 0) node.fail('has an operand without numbers');
    if (uniform(operand) && extents.every((extent, i) => extent === 1 || extent === x.shape[axis + i])) {
      return [operand.data[0]];
    }
    if (varies || extents[0] !== x.shape[1]) {
      node.fail(
        `has an operand of shape ${formatShape(shape)} for ${formatShape(x.shape)}: one number a channel is read`,
      );
    }
    return this.#ofSource(node, x, Array.from(operand.data));
  }

  /** Numbers of a value's channels, for those of its source. */
  #ofSource(node: ImportNode, x: Traced, values: readonly number[]): ArrayLike<number> {
    const origin = this.originOf(node, x);
    if (origin === null) return values;
    const [, channels, ...rest] = x.shape;
    const area = sizeOf(rest);
    const sources = (this.builder.shapes.get(x.source ?? 'input') as readonly number[])[1];
    const own: (number | undefined)[] = new Array(sources).fill(undefined);
    for (let i = 0; i < origin.length; i++) {
      const value = values[Math.floor(i / area) % channels];
      own[origin[i]] ??= value;
      if (own[origin[i]] !== value) {
        node.fail('has numbers for channels that were mixed before the next Quant node: put one before they are');
      }
    }
    return Float64Array.from(own, (value) => value ?? 0);
  }

  /** Which channel of the source each element of a value comes from; null if channels stand as they did. */
  originOf(node: ImportNode, { source, moves, shape }: Traced): Int32Array | null {
    const mixes = moves.some((move) => move.node.op !== 'maxPool' && move.node.op !== 'upsample');
    if (!mixes) return null;
    if (source === null) return node.fail('has one number a channel, behind a move and before a Quant node');
    const from = this.builder.shapes.get(source) as readonly number[];
    if (sizeOf(from) > MOST_NUMBERS || sizeOf(shape) > MOST_NUMBERS) node.fail('would need too much memory');
    const area = sizeOf(from.slice(2));
    const data = Int32Array.from({ length: sizeOf(from) }, (_, i) => Math.floor(i / area) % from[1]);
    const start: IntegerValue = { shape: from, data };
    const end = moves.reduce((value, move) => {
      return computeNode({ ...move.node, name: move.name } as GraphNode, [value], new Map());
    }, start);
    return end.data;
  }

  /** Numbers of a shape, broadcast to that of a value, row-major. @throws DataError if they do not fit */
  spread(node: ImportNode, operand: Constant, to: readonly number[]): ArrayLike<number> {
    const fits = operand.shape.every(
      (extent, i) => extent === 1 || extent === to[to.length - operand.shape.length + i],
    );
    if (operand.shape.length > to.length || !fits) {
      node.fail(`has an operand of shape ${formatShape(operand.shape)} for ${formatShape(to)}`);
    }
    return sameShape(operand.shape, to) ? operand.data : expanded(operand, to);
  }
}
