import type { ExportFormat } from '../format.js';

/** Everything by name, for programs in any language. */
const json: ExportFormat = {
  about: 'the integer graph as it is: nodes, weights, thresholds, scales, by name',
  encode: ({ tensors, ...graph }, { name }) => {
    const plain = Object.fromEntries([...tensors].map(([key, { shape, data }]) => [key, { shape, data: [...data] }]));
    return `${JSON.stringify({ format: 'a2q-integers', version: 2, ...graph, name, tensors: plain })}\n`;
  },
};

export default json;
