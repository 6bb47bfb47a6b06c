import type { TopLevelSpec } from 'vega-lite';
import { STYLE } from './style.js';
import { drawSvg, escapeHtml } from './svg.js';
import { type Layout, NARROW, WIDE } from './theme.js';

/** One HTML page that needs nothing else: style and drawings are in it, scripts are not. @param body HTML */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

export function heading(text: string): string {
  return `<h2>${escapeHtml(text)}</h2>`;
}

/**
 * A chart, drawn for wide screens and for phones; the style shows one of them.
 * @param label says what is to be seen, for those who do not see it
 * @param caption HTML
 */
export async function figure(chart: (layout: Layout) => TopLevelSpec, label: string, caption: string): Promise<string> {
  const [wide, narrow] = await Promise.all([WIDE, NARROW].map((layout) => drawSvg(chart(layout), label)));
  const drawings = `<div class="wide">${wide}</div><div class="narrow">${narrow}</div>`;
  return `<figure>${drawings}<figcaption>${caption}</figcaption></figure>`;
}

/** A table that scrolls sideways where it is too wide. @param columns HTML @param bodies HTML of rows */
export function table(columns: readonly string[], bodies: readonly string[], caption: string): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  const rows = bodies.map((body) => `<tbody>${body}</tbody>`).join('\n');
  return `<figure><div class="scroll"><table>
<thead><tr>${head}</tr></thead>
${rows}
</table></div><figcaption>${caption}</figcaption></figure>`;
}

/** Terms and what they are. @param facts the second of each is HTML */
export function definitions(facts: readonly (readonly [term: string, html: string])[]): string {
  return `<dl>${facts.map(([term, html]) => `<dt>${escapeHtml(term)}</dt><dd>${html}</dd>`).join('\n')}</dl>`;
}
