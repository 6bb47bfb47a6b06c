/** The models that can be trained by name. */
export const MODEL_NAMES = ['espcn', 'cnn', 'mobilenetv1', 'resnet18'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** The datasets that can be trained on by name. */
export const DATASET_NAMES = ['glyphs', 'cifar10', 'bsd300', 'folder'] as const;
export type DatasetName = (typeof DATASET_NAMES)[number];
