/**
 * a2q.js: everything that runs in a browser as well as in Node, room by room and bottom up. Files and data folders are
 * in `a2q.js/node`. Importing it evaluates no string as code, and loads no backend but `wasm` and no package: what
 * needs one loads it when asked.
 */

// The derivative: functions of tensors, the tape, functions of your own.
export * from './autograd/index.js';
// Data: datasets, batches, images and metrics.
export * from './data/batches.js';
export * from './data/batchSource.js';
export { type SuperResolutionOptions, superResolutionPairs, upscalingPsnr } from './data/bsd300.js';
export * from './data/cifar10.js';
export type { Batch, BatchOf, Dataset, DatasetFacts, ImageBatch, LabelBatch } from './data/dataset.js';
export { type ImagePairDataset, type LabelledDataset, sampleRandom, subset } from './data/dataset.js';
export { checkImage, decodeImage, type ImageLimits } from './data/decode.js';
export * from './data/glyphs.js';
export * from './data/imageFolder.js';
export * from './data/metrics.js';
export { identityNormalisation, type Normalisation } from './data/normalise.js';
export * from './data/pixels.js';
export * from './data/resize.js';
export { type BatchPort, type OpenDataset, serveBatches } from './data/worker/serveBatches.js';
export * from './data/worker/startBatchWorker.js';
// Integers only: what a P-bit accumulator does, partial sum by partial sum; models on such accumulators; the audit.
export * from './deploy/accumulator/conv2d.js';
export type { Accumulated, AccumulateOptions, IntegerArray } from './deploy/accumulator/engine.js';
export { type SumBar, SumHistogram } from './deploy/accumulator/histogram.js';
export * from './deploy/accumulator/linear.js';
export type { Overflow } from './deploy/accumulator/register.js';
export { outerAccumulatorBits, type Summation, type Tiled } from './deploy/accumulator/summation.js';
export * from './deploy/assign/assignBits.js';
export { COSTS, type Cost } from './deploy/assign/cost.js';
export * from './deploy/audit.js';
export { ROUNDINGS, type Rounding } from './deploy/axe/rounding.js';
export * from './deploy/axe/roundWeights.js';
export * from './deploy/diff.js';
export {
  evaluateNetwork,
  type NetworkEvaluation,
  type NetworkEvaluationOptions,
  type ScoredBatch,
  scoredBatches,
} from './deploy/evaluateNetwork.js';
export * from './deploy/exchange/c/encodeC.js';
export { importNetwork } from './deploy/exchange/importNetwork.js';
export * from './deploy/exchange/integerLayers.js';
export type { ImportOptions } from './deploy/exchange/onnx/importOnnx.js';
export * from './deploy/graph/audit.js';
export * from './deploy/graph/certificate.js';
export { decodeNetwork, encodeNetwork } from './deploy/graph/file.js';
export type * from './deploy/graph/graph.js';
export { findThresholds, type Thresholds, type Transfer } from './deploy/graph/thresholds.js';
export * from './deploy/laboratory/accuracyByBits.js';
export * from './deploy/laboratory/laboratory.js';
export { type WatchedLayer, watchedLayers } from './deploy/laboratory/layers.js';
export { type LowerOptions, lower } from './deploy/lowering/lower.js';
export { type ObservedModel, observeIntegers } from './deploy/lowering/observe.js';
export type { Requantization } from './deploy/lowering/requantize.js';
export { graphPicture, type PictureOptions } from './deploy/picture/graphPicture.js';
export * from './deploy/registerGroups.js';
export * from './deploy/runtime/gpu/index.js';
export * from './deploy/simulate.js';
export { verifyNetwork } from './deploy/verify/verifyNetwork.js';
// The machine: the backends, which one runs, and what ran.
export type { Backend, RequiredKernels } from './kernels/backend.js';
export type { FastPaths, FastRow, QuantGrid } from './kernels/fast.js';
export type { ConvGeometry, Window } from './kernels/geometry.js';
export * from './kernels/registry.js';
export { type Call, explain } from './kernels/trace.js';
export * as views from './kernels/value.js';
export * from './kernels/wasm/index.js';
// Networks: modules, layers, losses, optimizers, schedules; and the models, written once against a factory of layers.
export * from './nn/index.js';
export type { DataShape, ModelEntry } from './nn/models/entry.js';
export { Espcn, type EspcnOptions } from './nn/models/espcn.js';
export * from './nn/models/factory.js';
export { floatLayers } from './nn/models/floatLayers.js';
export { MobileNetV1, type MobileNetV1Options } from './nn/models/mobileNetV1.js';
export { ResNet18, type ResNet18Options } from './nn/models/resNet18.js';
export { SmallCnn, type SmallCnnOptions } from './nn/models/smallCnn.js';
// The method: integer formats and bounds, the exact accumulator test, quantizers and quantized layers, initialisation.
export * from './quant/a2qWeights.js';
export * from './quant/accumulator.js';
export * from './quant/accumulatorAware.js';
export * from './quant/activation.js';
export * from './quant/axeWeights.js';
export * from './quant/bounds.js';
export * from './quant/boundsAnswer.js';
export { type Batches, calibrateActivations, correctBias } from './quant/calibrate.js';
export * from './quant/epInit.js';
export * from './quant/integerRange.js';
export * from './quant/layers.js';
export * from './quant/methods.js';
export * from './quant/penalty.js';
export * from './quant/policy.js';
export { powerOfTwoScale } from './quant/powerOfTwo.js';
export * from './quant/projection.js';
export * from './quant/quantTensor.js';
export {
  affine,
  affineLearned,
  LearnedWeightQuantizer,
  StatsWeightQuantizer,
  WeightQuantizer,
  type WeightQuantizerFactory,
} from './quant/weightQuantizer.js';
// The value: tensors, their memory, seeded random numbers, and every error by name.
export * from './tensor/errors.js';
export * from './tensor/random.js';
export * from './tensor/safetensors.js';
export type { Shape } from './tensor/shape.js';
export type { Device, DType, MemoryUse, TypedArray } from './tensor/storage.js';
export { dispose, keep, memory, resetPeak, scope } from './tensor/storage.js';
export type { View } from './tensor/view.js';

// Training: one loop, what it is for, and how well it went.
export * from './train/evaluate.js';
export * from './train/fit.js';
export * from './train/prepare.js';
export * from './train/task.js';
