import type { ExportFormat } from '../format.js';
import { encodeOnnx } from '../onnx/encode.js';
import { qdqDialect } from '../onnx/qdqDialect.js';

/** For runtimes that know ONNX's 4-bit types. */
const qdq: ExportFormat = {
  about: 'as qcdq, with INT4 and UINT4 where weights or activations have 4 bits: operator set 21',
  encode: (graph, { fused = false }) => encodeOnnx(graph, qdqDialect({ halfBytes: true, fused })),
};

export default qdq;
