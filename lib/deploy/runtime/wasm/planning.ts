import type { GraphNode, IntegerGraph, RequantizeNode } from '../../graph/graph.js';
import { type ChannelRange, extremesOf, type GraphRanges, inferRanges } from '../../graph/ranges.js';
import { type GraphShapes, inferShapes } from '../../graph/shapes.js';
import type { PlannedNode } from '../runtime.js';
import type { Method } from './convolution.js';
import type { Engine, Job } from './engine.js';
import { packJob, placeToPlace, unpackJob } from './moves.js';
import { bytesOf, Grids, type Place, type Width, widthOf } from './places.js';

/** A node that the reference computes: its inputs and its result go through row-major int32. */
export interface HostStep {
  readonly host: GraphNode;
  readonly inputs: readonly Staged[];
  readonly out: Staged;
}

/** A value in row-major int32, and the job that takes it there or back. */
export interface Staged {
  readonly shape: readonly number[];
  readonly size: number;
  readonly address: number;
  readonly job: Job;
}

export type Step = Job | HostStep;

/** Choices that are made for the caller otherwise. */
export interface PlanOptions {
  /** Only this method for the convolutions that it can do. */
  readonly method?: Method;
}

/** A plan in the making: what is known of the network, and the steps so far. */
export class Planning {
  readonly shapes: GraphShapes;
  readonly ranges: GraphRanges;
  readonly grids: Grids;
  readonly steps: Step[] = [];
  readonly nodes: PlannedNode[] = [];
  /** The requantization that alone reads a node's sums: their kernel does it. */
  readonly #following = new Map<string, RequantizeNode>();
  readonly #places = new Map<string, Place>();

  constructor(
    readonly graph: IntegerGraph,
    readonly engine: Engine,
    shape: readonly number[],
    readonly options: PlanOptions,
  ) {
    this.shapes = inferShapes(graph, shape);
    this.ranges = inferRanges(graph, this.shapes);
    this.grids = new Grids(engine, shape[0]);
    const readers = new Map<string, GraphNode[]>();
    for (const node of graph.nodes) {
      for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
    }
    for (const [name, [only, ...others]] of readers) {
      if (others.length > 0 || name === graph.output.value || only.op !== 'requantize') continue;
      this.#following.set(name, only);
    }
  }

  shapeOf(name: string): readonly number[] {
    return this.shapes.get(name) as readonly number[];
  }

  rangeOf(name: string): ChannelRange {
    return this.ranges.get(name) as ChannelRange;
  }

  following(node: GraphNode): RequantizeNode | null {
    return this.#following.get(node.name) ?? null;
  }

  /** Whether an earlier node's kernel has made this value. */
  isMade(name: string): boolean {
    return this.#places.has(name);
  }

  place(name: string): Place {
    return this.#places.get(name) as Place;
  }

  /** A place for a value. */
  newPlace(name: string, width?: Width): Place {
    const { low, high } = extremesOf(this.rangeOf(name));
    const place = this.grids.place(this.shapeOf(name), low, high, width);
    this.#places.set(name, place);
    return place;
  }

  /** Another name for what a place holds. */
  alias(name: string, place: Place): void {
    this.#places.set(name, place);
  }

  /** Bytes that hold a value. */
  widthOf(name: string): Width {
    const { low, high } = extremesOf(this.rangeOf(name));
    return widthOf(low, high);
  }

  /** Adds a node's jobs, and what people read of it. */
  add(node: GraphNode, kernel: string, jobs: readonly Job[]): void {
    this.steps.push(...jobs);
    this.say(node, kernel, jobs);
  }

  say(node: GraphNode, kernel: string, jobs: readonly Job[]): void {
    const threads = jobs.reduce((most, job) => Math.max(most, this.engine.threadsFor(job)), 1);
    this.nodes.push({ node: node.name, kernel, threads });
  }

  /** A place as bytes, or as int32: itself, or a copy made first. */
  as(place: Place, width: Width): Place {
    if ((place.width === 'int32') === (width === 'int32')) return place;
    const copy = this.grids.place(place.shape, place.low, place.high, width);
    this.steps.push(placeToPlace(this.engine, place, copy));
    return copy;
  }

  /** Leaves a node to the reference. */
  host(node: GraphNode): void {
    const inputs = node.inputs.map((name) => this.staged(this.place(name), unpackJob));
    const out = this.staged(this.newPlace(node.name), (engine, place, width, address) =>
      packJob(engine, width, address, place),
    );
    this.steps.push({ host: node, inputs, out });
    this.nodes.push({ node: node.name, kernel: 'reference', threads: 1 });
  }

  /** Row-major int32 beside a place. */
  staged(place: Place, job: (engine: Engine, place: Place, width: Width, address: number) => Job): Staged {
    const size = place.shape.reduce((product, extent) => product * extent, 1);
    const address = this.engine.allocate(size * bytesOf('int32'));
    return { shape: place.shape, size, address, job: job(this.engine, place, 'int32', address) };
  }
}
