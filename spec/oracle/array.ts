/**
 * Row-major numbers with a shape, in float64: what every oracle takes and gives. The oracles are plain nested loops
 * over indices, share no code with the library, and are the expectation of its specs.
 */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export function numberArray(shape: readonly number[], data: Iterable<number>): NumberArray {
  const array = { shape: [...shape], data: [...data] };
  if (array.data.length !== count(shape)) throw new Error(`${array.data.length} numbers for shape [${shape}]`);
  return array;
}

/** How many elements a shape has. */
export function count(shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** All index tuples of a shape, row-major. Every tuple is a fresh array. */
export function indices(shape: readonly number[]): number[][] {
  let tuples: number[][] = [[]];
  for (const extent of shape) {
    const longer: number[][] = [];
    for (const tuple of tuples) for (let i = 0; i < extent; i++) longer.push([...tuple, i]);
    tuples = longer;
  }
  return tuples;
}

/** The row-major position of an index tuple. */
export function position(shape: readonly number[], index: readonly number[]): number {
  let at = 0;
  for (let axis = 0; axis < shape.length; axis++) at = at * shape[axis] + index[axis];
  return at;
}

/** The element at an index tuple; 0 outside of the array. */
export function at(x: NumberArray, ...index: number[]): number {
  for (let axis = 0; axis < index.length; axis++) if (index[axis] < 0 || index[axis] >= x.shape[axis]) return 0;
  return x.data[position(x.shape, index)];
}

/** An array computed element by element. */
export function build(shape: readonly number[], element: (index: number[]) => number): NumberArray {
  const data: number[] = [];
  for (const index of indices(shape)) data.push(element(index));
  return { shape: [...shape], data };
}
