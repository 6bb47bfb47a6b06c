import type { BinaryOp, UnaryOp } from '../../lib/kernels/backend.js';
import { BINARY, UNARY } from '../../lib/kernels/reference/elementwise.js';

/** Every elementwise function that backends must have, by name. */
export const UNARY_OPS = Object.keys(UNARY) as UnaryOp[];
export const BINARY_OPS = Object.keys(BINARY) as BinaryOp[];
