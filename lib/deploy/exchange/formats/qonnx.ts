import type { ExportFormat } from '../format.js';
import { encodeOnnx } from '../onnx/encode.js';
import { qonnxDialect } from '../onnx/qonnxDialect.js';

/** For FINN, hls4ml and the tools of QONNX. */
const qonnx: ExportFormat = {
  about: 'QONNX for FINN and hls4ml: Quant, MultiThreshold; an all-integer graph',
  encode: (graph, { opName }) => encodeOnnx(graph, qonnxDialect(opName)),
};

export default qonnx;
