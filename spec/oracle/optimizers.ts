/** One parameter under an optimizer, element by element, after the documentation of `torch.optim`. */

export interface OracleSgd {
  readonly learningRate: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/** `buffer` is null until the first step, as in PyTorch. Returns the state after the step. */
export function sgdStep(
  theta: readonly number[],
  gradient: readonly number[],
  buffer: readonly number[] | null,
  { learningRate, momentum, dampening, nesterov, weightDecay }: OracleSgd,
): { theta: number[]; buffer: number[] } {
  const next = { theta: [] as number[], buffer: [] as number[] };
  for (let i = 0; i < theta.length; i++) {
    let g = gradient[i] + weightDecay * theta[i];
    const b = buffer === null ? g : momentum * buffer[i] + (1 - dampening) * g;
    if (momentum !== 0) g = nesterov ? g + momentum * b : b;
    next.theta.push(theta[i] - learningRate * g);
    next.buffer.push(b);
  }
  return next;
}

export interface OracleAdam {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
}

/** `t` counts from 1. Returns the state after the step. */
export function adamStep(
  theta: readonly number[],
  gradient: readonly number[],
  first: readonly number[],
  second: readonly number[],
  t: number,
  { learningRate, beta1, beta2, epsilon, weightDecay, decoupled }: OracleAdam,
): { theta: number[]; first: number[]; second: number[] } {
  const next = { theta: [] as number[], first: [] as number[], second: [] as number[] };
  for (let i = 0; i < theta.length; i++) {
    const start = decoupled ? theta[i] - learningRate * weightDecay * theta[i] : theta[i];
    const g = decoupled ? gradient[i] : gradient[i] + weightDecay * theta[i];
    const m = beta1 * first[i] + (1 - beta1) * g;
    const v = beta2 * second[i] + (1 - beta2) * g * g;
    const mHat = m / (1 - beta1 ** t);
    const vHat = v / (1 - beta2 ** t);
    next.theta.push(start - (learningRate * mHat) / (Math.sqrt(vHat) + epsilon));
    next.first.push(m);
    next.second.push(v);
  }
  return next;
}
