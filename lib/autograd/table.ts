import type { Row } from './row.js';
import { binaryRows, selectRows, unaryRows } from './rows/elementwise.js';
import { imageRows } from './rows/images.js';
import { layoutRows } from './rows/layout.js';
import { linearRows } from './rows/linear.js';
import { normalizationRows } from './rows/normalization.js';
import { quantizationRows } from './rows/quantization.js';
import { reductionRows } from './rows/reduction.js';

/** Every primitive of the project. What is not here is composed from what is. */
export const table = {
  ...unaryRows,
  ...binaryRows,
  ...selectRows,
  ...layoutRows,
  ...reductionRows,
  ...linearRows,
  ...imageRows,
  ...normalizationRows,
  ...quantizationRows,
} satisfies Record<string, Row<never>>;

export type OpName = keyof typeof table;

/** The attributes an operation takes besides its tensors. */
export type AttrsOf<Name extends OpName> = (typeof table)[Name] extends Row<infer A> ? A : never;
