import { TapeError } from '../../tensor/errors.js';

/** Numbers on a device, written once, by a kernel or an upload. Handles share them; the last holder frees them. */
export class Content {
  /** What the executor made: a host array, a texture, or a buffer that is still to come. */
  readonly value: unknown;
  readonly length: number;
  #holders = 1;
  #free: (value: unknown) => void;

  constructor(value: unknown, length: number, free: (value: unknown) => void) {
    this.value = value;
    this.length = length;
    this.#free = free;
  }

  /** One holder more. @throws TapeError if it was freed */
  hold(): this {
    if (this.#holders === 0) throw new TapeError('gpu', 'these numbers were freed');
    this.#holders++;
    return this;
  }

  /** One holder less. @throws TapeError if it was freed */
  release(): void {
    if (this.#holders === 0) throw new TapeError('gpu', 'these numbers were freed twice');
    this.#holders--;
    if (this.#holders === 0) this.#free(this.value);
  }
}

/** The handle of a storage: its content is replaced as a whole, as kernels cannot write in place; at first none. */
export class Handle {
  readonly length: number;
  #content: Content | null = null;

  constructor(length: number) {
    this.length = length;
  }

  get content(): Content | null {
    return this.#content;
  }

  /** Puts `content` in place of what was there; the handle becomes its holder. */
  replace(content: Content): void {
    this.#content?.release();
    this.#content = content;
  }

  free(): void {
    this.#content?.release();
    this.#content = null;
  }
}
