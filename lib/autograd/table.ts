import type { Row } from './row.js';
import { convolutionRows } from './rows/convolution.js';
import * as elementwise from './rows/elementwise.js';
import { imageRows } from './rows/images.js';
import { layoutRows } from './rows/layout.js';
import { linearRows } from './rows/linear.js';
import { normalizationRows } from './rows/normalization.js';
import { quantizationRows } from './rows/quantization.js';
import { reductionRows } from './rows/reduction.js';

type Rows<Functions> = { readonly [Name in keyof Functions]: Row<Record<never, never>> };

function rowsOf<Functions extends Readonly<Record<string, { readonly row: Row<Record<never, never>> }>>>(
  functions: Functions,
): Rows<Functions> {
  return Object.fromEntries(Object.entries(functions).map(([name, { row }]) => [name, row])) as Rows<Functions>;
}

/** Every primitive but the method's (`lib/quant/a2qWeights.ts`). What is not here is composed from what is. */
export const table = {
  ...rowsOf(elementwise),
  ...layoutRows,
  ...reductionRows,
  ...linearRows,
  ...convolutionRows,
  ...imageRows,
  ...normalizationRows,
  ...quantizationRows,
} satisfies Record<string, Row<never>>;

export type OpName = keyof typeof table;

/** The attributes an operation takes besides its tensors. */
export type AttrsOf<Name extends OpName> = (typeof table)[Name] extends Row<infer A> ? A : never;
