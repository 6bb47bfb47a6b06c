import type { ExportFormat } from '../format.js';

/** Everything by name, for programs in any language. */
const json: ExportFormat = {
  about: 'integers, scales, geometry and accumulator width of each layer, by name',
  encode: (layers, name) => {
    const plain = layers.map((layer) => ({ ...layer, weights: [...layer.weights] }));
    return `${JSON.stringify({ format: 'a2q-integers', version: 1, name, layers: plain })}\n`;
  },
};

export default json;
