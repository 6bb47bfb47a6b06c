/** A class and its probability. */
export interface Guess {
  /** Its name; its number where names are not known. */
  readonly name: string;
  readonly label: number;
  /** 0 … 1. */
  readonly probability: number;
}

/** All classes, the likeliest first. @param logits of one sample @param names of the classes, if known */
export function rankClasses(logits: ArrayLike<number>, names?: readonly string[]): Guess[] {
  const guesses = probabilities(logits).map((probability, label) => {
    return { name: names?.[label] ?? String(label), label, probability };
  });
  return guesses.sort((a, b) => b.probability - a.probability);
}

/** Softmax of one row of logits: probabilities that add up to 1. */
export function probabilities(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
