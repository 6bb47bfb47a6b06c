import type { ExportFormat } from '../format.js';
import { writeNpy } from '../npy.js';
import { encodeZip } from '../zip.js';

/** Plain arrays, for NumPy. */
const npz: ExportFormat = {
  about: 'plain arrays for numpy.load: weights, thresholds, multipliers by name, the graph as JSON under "graph"',
  encode: ({ tensors, ...graph }, { name }) => {
    const text = new TextEncoder().encode(JSON.stringify({ format: 'a2q-integers', version: 2, ...graph, name }));
    const arrays = [['graph', { shape: [text.length], data: text }] as const, ...tensors];
    return encodeZip(new Map(arrays.map(([key, array]) => [`${key}.npy`, writeNpy(array)])));
  },
};

export default npz;
