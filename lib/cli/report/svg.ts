import type { TopLevelSpec } from 'vega-lite';
import { CONFIG } from './theme.js';

/** Draws a chart as SVG, without a browser. @param label says what is to be seen, for those who do not see it */
export async function drawSvg(chart: TopLevelSpec, label: string): Promise<string> {
  // Loaded here, so that nothing else waits for a plotting library.
  const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec } = lite.compile({ ...chart, config: CONFIG });
  const view = new vega.View(vega.parse({ ...spec, description: label }), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    return svg.replace('<svg ', `<svg role="img" aria-label="${escapeHtml(label)}" `);
  } finally {
    view.finalize();
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]);
}
