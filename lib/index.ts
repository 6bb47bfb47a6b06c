/**
 * a2q.js: everything that runs in a browser as well as in Node, room by room and bottom up. Files and data folders are
 * in `a2q.js/node`. Importing it evaluates no string as code, and loads no backend but `wasm`, no image decoder and no
 * package: what needs one loads it when asked.
 */

// The value: tensors, their memory, seeded random numbers, and every error by name.

export {
  arange,
  fromNdarray,
  full,
  normal,
  ones,
  type TensorOptions,
  tensor,
  toNdarray,
  uniform,
  zeros,
} from './tensor/create.js';
export * from './tensor/errors.js';
export { Random, type RandomState } from './tensor/random.js';
export type { Shape } from './tensor/shape.js';
export {
  type Device,
  type DType,
  dispose,
  keep,
  type MemoryUse,
  memory,
  resetPeak,
  scope,
  type TypedArray,
} from './tensor/storage.js';
export { type Nested, Tensor } from './tensor/tensor.js';
export type { View } from './tensor/view.js';

// The machine: the backends, and which one runs.

export type { Backend, RequiredKernels } from './kernels/backend.js';
export type { FastPaths, FastRow, QuantGrid } from './kernels/fast.js';
export type { ConvGeometry, Window } from './kernels/geometry.js';
export {
  BACKEND_NAMES,
  type BackendDescription,
  backendNamed,
  currentBackend,
  describeBackend,
  GPU_BACKEND_NAMES,
  setBackend,
  startBackend,
} from './kernels/registry.js';
export { type Call, explain } from './kernels/trace.js';
export * as views from './kernels/value.js';
export {
  createWasmBackend,
  loadWasmBackend,
  type WasmBackend,
  type WasmDescription,
  type WasmOptions,
} from './kernels/wasm/index.js';

// The derivative: functions of tensors, the tape, functions of your own.

export {
  apply,
  applyAll,
  avgPool2d,
  type BatchNormResult,
  backward,
  batchNorm,
  type CheckOptions,
  type ConvOptions,
  checkGrads,
  conv2d,
  defineFunction,
  type FunctionDefinition,
  fakeQuantize,
  type GradReport,
  globalAvgPool2d,
  isRecording,
  maxPool2d,
  type NormFollower,
  noGrad,
  type Outputs,
  type Pair,
  type PoolOptions,
  pixelShuffle,
  type Row,
  resizeConv2d,
  row,
  type Saved,
  type StraightThroughDefinition,
  straightThrough,
  upsampleNearest,
  withGrad,
} from './autograd/index.js';
export * from './autograd/ops.js';

// Networks: modules, layers, losses, optimizers, schedules; and the models, written once against a factory of layers.

export * from './nn/index.js';
export type { DataShape, ModelEntry } from './nn/models/entry.js';
export { Espcn, type EspcnOptions } from './nn/models/espcn.js';
export type { LayerFactory, LayerOptions, LayerRole } from './nn/models/factory.js';
export { floatLayers } from './nn/models/floatLayers.js';
export { MobileNetV1, type MobileNetV1Options } from './nn/models/mobileNetV1.js';
export { ResNet18, type ResNet18Options } from './nn/models/resNet18.js';
export { SmallCnn, type SmallCnnOptions } from './nn/models/smallCnn.js';

// The method: integer formats and bounds, the exact accumulator test, quantizers and quantized layers, initialisation.

export { a2qPenalty, a2qRows, a2qWeights } from './quant/a2qWeights.js';
export {
  type ChannelTest,
  type InputBounds,
  type LayerTest,
  testAccumulator,
  type Witness,
  type WorstCase,
  witness,
  worstCase,
} from './quant/accumulator.js';
export { AccumulatorAwareQuantizer, type AccumulatorOptions, a2q, a2qPlus } from './quant/accumulatorAware.js';
export {
  type ActivationFactory,
  type ActivationOptions,
  ActivationQuantizer,
  intActivation,
  uintActivation,
} from './quant/activation.js';
export {
  answerBounds,
  BOUND_KINDS,
  type BoundKind,
  type BoundsAnswer,
  type BoundsQuestion,
  type BudgetAnswer,
  budgetGain,
  dataTypeAccumulatorBits,
  type KindAnswer,
  l1Budget,
  minAccumulatorBits,
  smallestAccumulatorBits,
} from './quant/bounds.js';
export { type Batches, calibrateActivations, correctBias } from './quant/calibrate.js';
export { type EpInitReport, epInit, initializeQuantizers } from './quant/epInit.js';
export {
  accumulatorRange,
  bitsToHold,
  type IntegerFormat,
  type IntegerRange,
  inputRange,
  integerRange,
  weightRange,
} from './quant/integerRange.js';
export {
  activationQuantizers,
  type IntegerProduct,
  QuantAdd,
  QuantConv2d,
  type QuantConvOptions,
  QuantIdentity,
  QuantLayer,
  type QuantLayerOptions,
  QuantLinear,
  QuantReLU,
  QuantResizeConv2d,
  quantLayers,
} from './quant/layers.js';
export { METHOD_NAMES, METHODS, type Method, type MethodEntry, type WeightChoice } from './quant/methods.js';
export { accumulatorPenalty, PENALTY_WEIGHT } from './quant/penalty.js';
export { EDGE_BITS, layerPolicy, type PolicyOptions } from './quant/policy.js';
export { l1BallThreshold, projectL1Ball, projectL1Rows } from './quant/projection.js';
export { integers, type QuantTensor } from './quant/quantTensor.js';
export {
  affine,
  affineLearned,
  LearnedWeightQuantizer,
  StatsWeightQuantizer,
  WeightQuantizer,
  type WeightQuantizerFactory,
} from './quant/weightQuantizer.js';

// Integers only: what a P-bit accumulator does, partial sum by partial sum; models on such accumulators; the audit.

export { accumulateConv2d } from './deploy/accumulator/conv2d.js';
export type { Accumulated, AccumulateOptions, IntegerArray } from './deploy/accumulator/engine.js';
export { accumulateLinear } from './deploy/accumulator/linear.js';
export type { Overflow } from './deploy/accumulator/register.js';
export {
  type Audit,
  type AuditTrial,
  type AuditWitness,
  auditLayer,
  auditModel,
  type LayerAudit,
} from './deploy/audit.js';
export {
  hiddenLayers,
  type LayerTally,
  type Simulation,
  type SimulationOptions,
  withAccumulators,
} from './deploy/simulate.js';

// Data: datasets, batches, images and metrics.

export * from './data/batches.js';
export * from './data/batchSource.js';
export { type SuperResolutionOptions, superResolutionPairs, upscalingPsnr } from './data/bsd300.js';
export {
  CIFAR10_CLASSES,
  CIFAR10_STATISTICS,
  type Cifar10Options,
  type Cifar10ParseOptions,
  type Cifar10Records,
  cifar10,
  parseCifar10,
} from './data/cifar10.js';
export {
  type Batch,
  type BatchOf,
  type Dataset,
  type DatasetFacts,
  type ImageBatch,
  type ImagePairDataset,
  type LabelBatch,
  type LabelledDataset,
  sampleRandom,
  subset,
} from './data/dataset.js';
export { drawGlyph, GLYPH_CLASSES, GLYPH_SIZE, GLYPH_STATISTICS, type GlyphOptions, glyphs } from './data/glyphs.js';
export {
  IMAGENET_STATISTICS,
  type ImageFolderOptions,
  imageFolder,
  type LabelledImages,
} from './data/imageFolder.js';
export { loadImageDecoder } from './data/loadImageDecoder.js';
export * from './data/metrics.js';
export { identityNormalisation, type Normalisation } from './data/normalise.js';
export { centreCrop, crop, mirror, type Pixels, pixels } from './data/pixels.js';
export { type ResizeFilter, resize } from './data/resize.js';
export { type BatchPort, type OpenDataset, serveBatches } from './data/worker/serveBatches.js';
export * from './data/worker/startBatchWorker.js';

// Training: one loop, what it is for, and how well it went.

export { type EvaluateOptions, type Evaluation, evaluate } from './train/evaluate.js';
export {
  type EpochReport,
  type FitOptions,
  type FitResult,
  fit,
  type Position,
  START,
  type StepReport,
} from './train/fit.js';
export {
  type NamedState,
  PREPARE_STAGES,
  type Preparation,
  type PrepareConfig,
  type PrepareOptions,
  type PrepareStage,
  prepareModel,
} from './train/prepare.js';
export { decodeSafetensors, encodeSafetensors, type TensorFile } from './train/safetensors.js';
export { classification, superResolution, type Task, taskOf } from './train/task.js';
