import type { ModelEntry } from './entry.js';
import { espcn } from './espcn.js';
import { mobilenetv1 } from './mobileNetV1.js';
import { resnet18 } from './resNet18.js';
import { cnn } from './smallCnn.js';

/** The models that can be trained by name. */
export const MODELS = { espcn, cnn, mobilenetv1, resnet18 } as const satisfies Record<string, ModelEntry>;

export type ModelName = keyof typeof MODELS;
/** Every {@link ModelName}, in the order of the table. */
export const MODEL_NAMES = Object.keys(MODELS) as ModelName[];
