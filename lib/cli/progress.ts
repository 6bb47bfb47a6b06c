import { MultiBar, type SingleBar } from 'cli-progress';
import { formatSeconds } from './output.js';

/** Shows how far a piece of work has come, on standard error. */
export interface Progress {
  /** A new piece of work of `total` parts, of which `done` are done already. */
  begin(label: string, total: number, done?: number): void;
  update(done: number, note?: string): void;
  /** A line that stays. */
  say(line: string): void;
  /** The work is over; the bar goes. */
  end(): void;
}

/** Seconds between two lines where there is no terminal to draw a bar on. */
const LINE_INTERVAL = 10;

/** A bar on a terminal, else a line now and then. */
export function makeProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY ? new Bar(stream) : new Lines(stream);
}

/** Time left, from the pace since the work began. */
class Clock {
  readonly #start = performance.now();

  constructor(
    readonly total: number,
    readonly before: number,
  ) {}

  eta(done: number): string {
    const seconds = (performance.now() - this.#start) / 1000;
    return formatSeconds((seconds * (this.total - done)) / (done - this.before));
  }
}

class Bar implements Progress {
  readonly #bars: MultiBar;
  #bar: SingleBar | null = null;
  #clock = new Clock(0, 0);

  constructor(stream: NodeJS.WriteStream) {
    this.#bars = new MultiBar({
      stream,
      format: '{label} {bar} {value}/{total}  ETA {left}  {note}',
      barsize: 24,
      barCompleteChar: '━',
      barIncompleteChar: '─',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      autopadding: false,
      fps: 8,
    });
  }

  begin(label: string, total: number, done = 0): void {
    if (this.#bar) this.#bars.remove(this.#bar);
    this.#clock = new Clock(total, done);
    this.#bar = this.#bars.create(total, done, { label, note: '', left: '?' });
  }

  update(done: number, note = ''): void {
    this.#bar?.update(done, { note, left: this.#clock.eta(done) });
  }

  say(line: string): void {
    this.#bars.log(`${line}\n`);
    this.#bars.update();
  }

  end(): void {
    if (this.#bar) this.#bars.remove(this.#bar);
    this.#bar = null;
    this.#bars.stop();
  }
}

class Lines implements Progress {
  #label = '';
  #clock = new Clock(0, 0);
  #last = performance.now();

  constructor(readonly stream: NodeJS.WriteStream) {}

  begin(label: string, total: number, done = 0): void {
    this.#label = label;
    this.#clock = new Clock(total, done);
    this.#last = performance.now();
  }

  update(done: number, note = ''): void {
    const now = performance.now();
    if (now - this.#last < LINE_INTERVAL * 1000) return;
    this.#last = now;
    this.say(`${this.#label} ${done}/${this.#clock.total}  ETA ${this.#clock.eta(done)}  ${note}`.trimEnd());
  }

  say(line: string): void {
    this.stream.write(`${line}\n`);
  }

  end(): void {}
}
