import type { ExportFormat } from '../format.js';
import { encodeOnnx } from '../onnx/encode.js';
import { integerDialect } from '../onnx/integerDialect.js';

/** For runtimes without floats between input and output. */
const integerOnnx: ExportFormat = {
  about: 'ONNX on integers: ConvInteger, MatMulInteger, counted comparisons; exactly our accumulators',
  encode: (graph) => encodeOnnx(graph, integerDialect),
};

export default integerOnnx;
