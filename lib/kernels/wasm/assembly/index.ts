/** Every kernel the host may call. All agree: units `begin … end` of the work, then the thread's scratch. */
export { fitAccumulator } from './accumulator';
export { blendInto } from './blend';
export { copy, copyInto, fill } from './views';
export { where } from './elementwise';
export * from './elementwise.generated';
export { partialSums, reduceColumns, reduceEmpty, reduceRows, sumParts } from './reduce';
export { gemm } from './gemm';
export { packWeights, windowOffsets } from './window';
export { convolve, pointwise } from './convolution';
export { packPairs } from './pairs';
export { copyGradients, copyImages, storeWeights, weightSums, windowTable } from './weightgrad';
export { winograd, winogradPatches, winogradProducts } from './winograd';
export { winogradFilters } from './winogradFilters';
export {
  winogradFrequencies, winogradGradient, winogradSegments, winogradTransforms, winogradWeights,
} from './winogradgrad';
export { depthwise, depthwiseWeightGradient } from './depthwise';
export { depthwiseHalvingGradient, depthwiseNarrowGradient, depthwiseRowsGradient } from './planesGradient';
export { depthwiseDoubling, depthwiseHalving } from './planesHalving';
export { depthwiseNarrow } from './planesNarrow';
export { normActivate, normActivateGradient } from './normalize';
export { fakeQuantize, fakeQuantizeGradient } from './quantize';
export { adam, sgd } from './optimize';
export { col2im, im2col, maxPool, maxPoolGradient, upsample, upsampleGradient } from './pool';
export { powerScale, powerScaleGradient } from './scale';
export { kthSmallest, kthSmallestGradient } from './select';
export { a2qPenalty, a2qPenaltyGradient, a2qWeights, a2qWeightsGradient } from './weights';
// Not for the host: exported to keep them from being inlined, see there.
export { microTable, microTable3, microTablePairs } from './micro';
