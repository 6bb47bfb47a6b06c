/**
 * Minimal filtering for 3 × 3 convolutions with stride 1: `f2` needs 2.25 times fewer multiplications and is as
 * accurate as direct convolution; `f4` needs 4 times fewer and errs by about 1e-5 of the output's root mean square.
 */
export const WINOGRAD_CHOICES = ['off', 'f2', 'f4'] as const;
export type WinogradChoice = (typeof WINOGRAD_CHOICES)[number];
