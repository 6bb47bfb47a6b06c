export { Activation, Flatten, Identity, ReLU } from './activation.js';
export { BatchNorm2d, type BatchNormOptions, type ChannelAffine, freezeBatchNorms } from './batchNorm.js';
export { chain, type Join, residual } from './chain.js';
export { Conv2d, type Conv2dOptions, ResizeConv2d } from './conv.js';
export { Linear, linear } from './linear.js';
export { AvgPool2d, GlobalAvgPool2d, MaxPool2d, type PoolLayerOptions } from './pooling.js';
export { PixelShuffle, UpsampleNearest } from './resample.js';
export { Sequential } from './sequential.js';
export { WeightedModule, type WeightedOptions } from './weighted.js';
