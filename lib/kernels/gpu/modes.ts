/** Where gpu.js runs kernels; each can be demanded, and none stands in for another. */
export const GPU_MODES = ['webgpu', 'webgl2', 'webasm', 'cpu'] as const;
export type GpuMode = (typeof GPU_MODES)[number];
