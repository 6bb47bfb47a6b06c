/** A curve of some value by step, in the two phases of the story. */
export interface Point {
  readonly step: number;
  readonly value: number;
  readonly phase: 'float' | 'quantized';
}

/** What a chart spans. */
export interface Span {
  readonly steps: number;
  /** Step at which quantization begins. */
  readonly turn: number;
  /** Largest value; the smallest is 0. */
  readonly top: number;
  /** Whether each point gets a dot. */
  readonly dots?: boolean;
  readonly format: (value: number) => string;
}

const MARGIN = { left: 46, right: 8, top: 16, bottom: 22 };
const NAMESPACE = 'http://www.w3.org/2000/svg';

/** Draws the points into an `<svg>`, in place of what was there. */
export function drawChart(svg: SVGSVGElement, points: readonly Point[], span: Span): void {
  const { width, height } = svg.viewBox.baseVal;
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const x = (step: number) => MARGIN.left + ((right - MARGIN.left) * step) / span.steps;
  const y = (value: number) => bottom - ((bottom - MARGIN.top) * Math.min(value, span.top)) / span.top;
  const parts: SVGElement[] = [];
  for (let i = 0; i <= 4; i++) {
    const value = (span.top * i) / 4;
    parts.push(element('line', { class: 'grid', x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }));
    parts.push(text(MARGIN.left - 8, y(value) + 4, span.format(value), 'end'));
  }
  for (const step of [0, span.turn, span.steps]) {
    const anchor = step === 0 ? 'start' : step === span.steps ? 'end' : 'middle';
    parts.push(text(x(step), height - 4, step === span.steps ? `step ${step}` : `${step}`, anchor));
  }
  parts.push(element('line', { class: 'turn', x1: x(span.turn), x2: x(span.turn), y1: 4, y2: bottom }));
  parts.push(text(x(span.turn) - 6, 12, 'float', 'end'), text(x(span.turn) + 6, 12, 'A2Q+', 'start', 'quantized'));
  for (const phase of ['float', 'quantized'] as const) {
    const own = points.filter((point) => point.phase === phase);
    if (own.length === 0) continue;
    const path = own.map(({ step, value }, i) => `${i === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
    parts.push(element('path', { class: phase, d: path.join('') }));
    if (!span.dots) continue;
    for (const { step, value } of own) parts.push(element('circle', { class: phase, cx: x(step), cy: y(value), r: 3 }));
    const last = own[own.length - 1];
    parts.push(text(x(last.step) - 6, y(last.value) + 18, span.format(last.value), 'end', phase));
  }
  svg.replaceChildren(...parts);
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, `${value}`);
  return made;
}

function text(x: number, y: number, content: string, anchor: string, kind = 'label'): SVGElement {
  const made = element('text', { x, y, 'text-anchor': anchor, class: kind });
  made.textContent = content;
  return made;
}
