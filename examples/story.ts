/** How the lessons speak: headings, small tables, and claims that are checked. */

export function heading(text: string): void {
  console.log(`\n${text}\n${'─'.repeat(text.length)}`);
}

/** Prints rows of cells in columns, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const [i, line] of lines.entries()) {
    const numeric = (column: number) => i > 0 && typeof rows[i - 1][column] === 'number';
    const cells = line.map((cell, column) =>
      numeric(column) || (i === 0 && typeof rows[0]?.[column] === 'number')
        ? cell.padStart(widths[column])
        : cell.padEnd(widths[column]),
    );
    console.log(`  ${cells.join('   ')}`.trimEnd());
  }
}

/** A number to so many significant digits, without trailing zeros. */
export function short(x: number, digits = 4): number {
  return Number(x.toPrecision(digits));
}

/** Prints a claim that holds; one that does not ends the lesson with exit code 1. @throws Error */
export function claim(holds: boolean, statement: string): void {
  if (!holds) throw new Error(`this claim does not hold: ${statement}`);
  console.log(`  ✓ ${statement}`);
}
