/** What errors of a stream mean that nobody reads any more: a closed pipe, a terminal that is gone. */
const GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET']);

/**
 * Lets the command go on when nobody reads its words any more: `2>&1 | head`, a closed terminal, a full disk behind a
 * log. Work is worth more than words; a result that could not be written is a failure all the same.
 *
 * @param onLost told once, if standard output failed for another reason than that its reader went away
 */
export function outliveTerminal(onLost: (reason: string) => void): void {
  process.stderr.on('error', () => undefined);
  let failed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!failed && !GONE.has(error.code)) onLost(error.message);
    // What follows the first error says only that the stream is no more.
    failed = true;
  });
}
