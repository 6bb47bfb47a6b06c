import type { ImportNode } from './importNode.js';
import type { ElementType } from './model.js';

/** Integers that fill an element type, and its bits. */
const RANGES: Partial<Record<ElementType, readonly [low: number, high: number]>> = {
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** @throws DataError naming the node, for types of other numbers than integers of up to 32 bits */
export function rangeOfType(node: ImportNode, type: ElementType): readonly [low: number, high: number] {
  return RANGES[type] ?? node.fail(`makes ${type}, which is no integer of up to 32 bits`);
}
