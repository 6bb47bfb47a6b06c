import type { ExportFormat } from '../format.js';
import { encodeOnnx } from '../onnx/encode.js';
import { qdqDialect } from '../onnx/qdqDialect.js';

/** For ONNX Runtime and compilers that know 8 bits only. */
const qcdq: ExportFormat = {
  about: 'ONNX with QuantizeLinear, Clip, DequantizeLinear: int8 and uint8, operator set 13',
  encode: (graph, { fused = false }) => encodeOnnx(graph, qdqDialect({ halfBytes: false, fused })),
};

export default qcdq;
