import { BackendError } from '../../tensor/errors.js';

/** Every block starts at a multiple of this, a cache line, and its size is a multiple of it. */
export const ALIGNMENT = 64;

/** Bins per power of two: a block is at most an eighth larger than the size its bin promises. */
const SUBDIVISIONS = 8;
const BINS = 27 * SUBDIVISIONS;

/** A stretch of linear memory, linked to its neighbours by address and, while free, to the others of its bin. */
export interface Block {
  readonly address: number;
  bytes: number;
  free: boolean;
  /** Neighbours in memory. */
  below: Block | null;
  above: Block | null;
  /** Neighbours in the list of a bin. */
  before: Block | null;
  after: Block | null;
}

/**
 * A two-level segregated fit allocator (TLSF, Masmano et al. 2004): constant time, immediate coalescing, so that memory
 * stays whole however sizes alternate. Its books are kept outside of the memory it manages.
 */
export class Allocator {
  readonly #bins: (Block | null)[] = new Array<Block | null>(BINS).fill(null);
  /** One bit per bin that holds a block, 32 bins a word. */
  readonly #occupied = new Int32Array(Math.ceil(BINS / 32));
  readonly #base: number;
  readonly #grow: (end: number) => number | null;
  #last: Block | null = null;
  #end: number;
  #used = 0;

  /**
   * Manages addresses `base … end`; both multiples of the alignment.
   * @param grow asked for a higher end of at least the one given, answers the new end, or null if there is no more
   *   memory
   */
  constructor(base: number, end: number, grow: (end: number) => number | null) {
    this.#base = base;
    this.#end = base;
    this.#grow = grow;
    if (end > base) this.#extend(end);
  }

  /** Bytes in blocks handed out. */
  get used(): number {
    return this.#used;
  }

  /** Bytes managed, handed out or free. */
  get capacity(): number {
    return this.#end - this.#base;
  }

  /** An uninitialised block of at least `bytes`. @throws BackendError when memory is exhausted */
  allocate(bytes: number): Block {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const block = this.#find(size) ?? this.#more(size);
    this.#unlink(block);
    block.free = false;
    if (block.bytes > size) this.#split(block, size);
    this.#used += size;
    return block;
  }

  /** Takes a block back. @throws BackendError if it is not handed out */
  release(block: Block): void {
    if (block.free) throw new BackendError('free', `block at address ${block.address} was freed twice`);
    this.#used -= block.bytes;
    block.free = true;
    let whole = block;
    if (block.above?.free) {
      this.#unlink(block.above);
      this.#absorb(block);
    }
    if (block.below?.free) {
      whole = block.below;
      this.#unlink(whole);
      this.#absorb(whole);
    }
    this.#link(whole);
  }

  #find(size: number): Block | null {
    const own = binOf(size);
    const head = this.#bins[own];
    if (head && head.bytes >= size) return head;
    for (let word = (own + 1) >> 5; word < this.#occupied.length; word++) {
      let bits = this.#occupied[word];
      if (word === (own + 1) >> 5) bits &= -1 << ((own + 1) & 31);
      if (bits !== 0) return this.#bins[word * 32 + 31 - Math.clz32(bits & -bits)];
    }
    for (let block = head; block; block = block.after) if (block.bytes >= size) return block;
    return null;
  }

  #more(size: number): Block {
    const start = this.#last?.free ? this.#last.address : this.#end;
    const end = this.#grow(start + size);
    if (end === null) {
      throw new BackendError(
        'alloc',
        `out of memory: ${size} bytes asked for, ${this.#used} of ${this.capacity} bytes in use and no room to grow; ` +
          'free tensors by scope() or dispose(), or take smaller batches',
      );
    }
    return this.#extend(end);
  }

  /** Adds the memory up to `end`, as one free block with whatever was free below it. */
  #extend(end: number): Block {
    const block: Block = {
      address: this.#end,
      bytes: end - this.#end,
      free: true,
      below: this.#last,
      above: null,
      before: null,
      after: null,
    };
    if (this.#last) this.#last.above = block;
    this.#last = block;
    this.#end = end;
    const below = block.below;
    if (!below?.free) {
      this.#link(block);
      return block;
    }
    this.#unlink(below);
    this.#absorb(below);
    this.#link(below);
    return below;
  }

  /** Merges the block above into this one. */
  #absorb(block: Block): void {
    const other = block.above!;
    block.bytes += other.bytes;
    block.above = other.above;
    if (other.above) other.above.below = block;
    else this.#last = block;
  }

  #split(block: Block, size: number): void {
    const rest: Block = {
      address: block.address + size,
      bytes: block.bytes - size,
      free: true,
      below: block,
      above: block.above,
      before: null,
      after: null,
    };
    if (block.above) block.above.below = rest;
    else this.#last = rest;
    block.above = rest;
    block.bytes = size;
    this.#link(rest);
  }

  #link(block: Block): void {
    const bin = binOf(block.bytes);
    block.before = null;
    block.after = this.#bins[bin];
    if (block.after) block.after.before = block;
    this.#bins[bin] = block;
    this.#occupied[bin >> 5] |= 1 << (bin & 31);
  }

  #unlink(block: Block): void {
    if (block.after) block.after.before = block.before;
    if (block.before) {
      block.before.after = block.after;
      return;
    }
    const bin = binOf(block.bytes);
    this.#bins[bin] = block.after;
    if (!block.after) this.#occupied[bin >> 5] &= ~(1 << (bin & 31));
  }
}

/** The bin whose blocks are at least as large as the bin's smallest size: power of two, then eighth. */
function binOf(bytes: number): number {
  const lines = bytes / ALIGNMENT;
  const power = 31 - Math.clz32(lines);
  if (power < 3) return lines - 1;
  return power * SUBDIVISIONS + ((lines >>> (power - 3)) & (SUBDIVISIONS - 1));
}
