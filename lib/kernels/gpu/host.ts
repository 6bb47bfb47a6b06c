import { type Executor, UNDISPUTED } from './executor.js';

/** Results are host arrays: WebAssembly and plain JavaScript. */
export function onHost(): Executor {
  return {
    resident: false,
    piecewise: false,
    failure: null,
    run(kernel, values, scalars, perThread) {
      const result = kernel(...(values as Float32Array[]), ...scalars);
      return perThread === 1 ? result : joined(result as unknown as readonly Float32Array[], perThread);
    },
    upload: (_, data) => data.slice(),
    read: async (value) => (value as Float32Array).slice(),
    free: () => undefined,
    reserve: () => UNDISPUTED,
  };
}

function joined(pieces: readonly Float32Array[], perThread: number): Float32Array {
  const all = new Float32Array(pieces.length * perThread);
  for (const [i, piece] of pieces.entries()) all.set(piece, i * perThread);
  return all;
}
