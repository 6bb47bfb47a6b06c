import type { Content } from './content.js';
import type { TimedResult } from './timeVariants.js';
import type { Variant, VariantChoice } from './variants.js';

/** One way to compute an op; the content it makes belongs to the caller. */
export interface Candidate {
  readonly variant: Variant;
  readonly run: () => Content;
}

/** What an op was found to run best with. */
export interface Choice {
  /** The op, with all that its kernels depend on. */
  readonly op: string;
  readonly variant: Variant;
  /** Milliseconds of every variant measured; null while that is under way, or if there was nothing to measure. */
  readonly times: Readonly<Partial<Record<Variant, number>>> | null;
  /** Why the fastest was not taken, or nothing could be measured. */
  readonly note?: string;
}

/** Who times variants, and compares what they made. */
export interface VariantTimer {
  time(variants: readonly (() => Content)[]): Promise<readonly TimedResult[]>;
  differ(a: Content, b: Content): Promise<boolean>;
}

/** Multiplications of an op that is not worth more than one kernel: what is called once costs more than it does. */
const TRIFLE = 2 ** 16;

/** Above this many multiplications the plain kernel has nowhere been the fastest, and is slow to time. */
const PLAIN_AT_MOST = 2 ** 22;

/** The plain variant and those of the others that suit. */
export function available(
  plain: Candidate,
  ...others: readonly { readonly variant: Variant; readonly run: (() => Content) | null }[]
): Candidate[] {
  return [plain, ...others.flatMap(({ variant, run }) => (run ? [{ variant, run }] : []))];
}

/**
 * Chooses among variants: the one that was demanded, or the fastest in a measurement at the first use of an op with its
 * shapes. The measurement runs in the background; until it is done the preferred variant runs. No number ever depends
 * on what is fastest: where variants differ in so much as a bit, the preferred one stays.
 */
export class Tuner {
  readonly #time: VariantTimer['time'];
  readonly #differ: VariantTimer['differ'];
  readonly #policy: VariantChoice;
  readonly #choices = new Map<string, Choice>();
  readonly #measuring = new Set<Promise<void>>();

  constructor({ time, differ }: VariantTimer, policy: VariantChoice) {
    this.#time = time;
    this.#differ = differ;
    this.#policy = policy;
  }

  get choices(): readonly Choice[] {
    return [...this.#choices.values()];
  }

  /** Resolves when all measurements begun so far are done. */
  async settled(): Promise<void> {
    while (this.#measuring.size > 0) await Promise.all(this.#measuring);
  }

  /**
   * @param op names the op and its shapes
   * @param work multiplications of the op
   * @param inputs what the candidates read
   * @param candidates the plain one first, then by preference
   */
  run(op: string, work: number, inputs: readonly Content[], candidates: readonly Candidate[]): Content {
    const [plain, preferred = plain] = candidates;
    const named = (variant: Variant) => candidates.find((each) => each.variant === variant) ?? plain;
    if (this.#policy !== 'measured') return named(this.#policy).run();
    if (work < TRIFLE) return plain.run();
    const known = this.#choices.get(op);
    if (known) return named(known.variant).run();
    this.#choices.set(op, { op, variant: preferred.variant, times: null });
    const variants = candidates.filter((each) => each !== plain || work <= PLAIN_AT_MOST);
    const result = preferred.run();
    if (variants.length > 1) this.#begin(op, preferred, inputs, variants);
    return result;
  }

  #begin(op: string, preferred: Candidate, inputs: readonly Content[], variants: readonly Candidate[]): void {
    for (const each of inputs) each.hold();
    const measuring = this.#measure(op, preferred, variants)
      .catch((cause: unknown) => {
        const note = `not measured: ${cause instanceof Error ? cause.message : cause}`;
        this.#choices.set(op, { op, variant: preferred.variant, times: null, note });
      })
      .finally(() => {
        for (const each of inputs) each.release();
        this.#measuring.delete(measuring);
      });
    this.#measuring.add(measuring);
  }

  async #measure(op: string, preferred: Candidate, variants: readonly Candidate[]): Promise<void> {
    const results = await this.#time(variants.map(({ run }) => run));
    const standard = results[variants.indexOf(preferred)].content;
    const times: Partial<Record<Variant, number>> = {};
    let best = preferred.variant;
    let differing: Variant | null = null;
    try {
      for (const [i, { variant }] of variants.entries()) {
        const { content, milliseconds } = results[i];
        times[variant] = milliseconds;
        if (await this.#differ(content, standard)) differing = variant;
        else if (milliseconds < (times[best] ?? Number.POSITIVE_INFINITY)) best = variant;
      }
    } finally {
      for (const { content } of results) content.release();
    }
    const note = differing && `${differing} differs in last bits here, so ${preferred.variant} stays`;
    this.#choices.set(op, note ? { op, variant: preferred.variant, times, note } : { op, variant: best, times });
  }
}
