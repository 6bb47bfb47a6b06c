/** Where a command's words go. With `--json` standard output is one JSON document; the rest goes to standard error. */
export class Output {
  constructor(readonly json: boolean) {}

  /** A result for people. */
  say(text: string): void {
    (this.json ? process.stderr : process.stdout).write(`${text}\n`);
  }

  /** A remark beside the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** The result for machines; written with `--json` only. */
  result(value: unknown): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }
}

/** A fraction as per cent, `42.0 %`. */
export function percent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

/** A metric as people write it: `97.31 %` or `24.51 dB`. */
export function formatMetric(name: 'accuracy' | 'psnr', value: number): string {
  return name === 'accuracy' ? percent(value, 2) : `${value.toFixed(2)} dB`;
}

/** Bytes as `12.3 MB`, of a million each. */
export function formatBytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Seconds as `1h02m`, `3m07s` or `12s`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${two(whole % 60)}s` : `${whole}s`;
}
