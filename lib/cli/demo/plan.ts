/** Everything that is decided before the demo starts; the same for every method. */
export interface DemoPlan {
  /** Seeds weights, order and augmentation; the test images do not depend on it. */
  readonly seed: number;
  /** Channels of the network's convolutions; the first is not constrained. */
  readonly widths: readonly number[];
  /** M and N of the hidden layers. */
  readonly weightBits: number;
  readonly actBits: number;
  /** Every P, widest first. */
  readonly accumulatorBits: readonly number[];
  /** Images in an epoch of training; each epoch draws new ones. */
  readonly trainImages: number;
  /** Images held out to measure accuracy. */
  readonly testImages: number;
  /** Training images that set the activation thresholds of a quantized network. */
  readonly calibrationImages: number;
  readonly batchSize: number;
  readonly weightDecay: number;
  /** Training of the float network. */
  readonly float: Stint;
  /** Fine-tuning of every quantized network. */
  readonly fineTune: Stint;
}

/** A stretch of training: Adam, its learning rate falling to zero along a half cosine. */
export interface Stint {
  readonly epochs: number;
  readonly learningRate: number;
}

/** The story as `npm start` tells it. */
export const FULL_PLAN: DemoPlan = {
  seed: 0,
  widths: [8, 16, 32],
  weightBits: 4,
  actBits: 4,
  accumulatorBits: [10, 9, 8],
  trainImages: 10_000,
  testImages: 4000,
  calibrationImages: 1000,
  batchSize: 64,
  weightDecay: 1e-5,
  float: { epochs: 5, learningRate: 2e-3 },
  fineTune: { epochs: 4, learningRate: 1e-3 },
};

/** Every step of the story in seconds, on so little data that the numbers mean nothing. */
export const QUICK_PLAN: DemoPlan = {
  ...FULL_PLAN,
  widths: [4, 6, 8],
  accumulatorBits: [12, 9],
  trainImages: 128,
  testImages: 64,
  calibrationImages: 32,
  batchSize: 32,
  float: { epochs: 1, learningRate: 5e-3 },
  fineTune: { epochs: 1, learningRate: 1e-3 },
};
