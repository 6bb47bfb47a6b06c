/** The ten glyphs as strokes: points in [−1, 1]², x to the right, y down, joined by lines. Arcs become short chords. */

/** x, y, x, y, … of one pen movement. */
export type Stroke = Float64Array;

/** A chord every 30° deviates from its arc by 3 % of the radius, a fifth of a pixel here. */
const CHORD = Math.PI / 6;

function line(...points: number[]): Stroke {
  return Float64Array.from(points);
}

/** From angle `from` to angle `to` in degrees, 0 = right, 90 = down. */
function arc(x: number, y: number, radius: number, from: number, to: number): Stroke {
  const start = (from * Math.PI) / 180;
  const sweep = ((to - from) * Math.PI) / 180;
  const chords = Math.max(Math.round(Math.abs(sweep) / CHORD), 1);
  const points = new Float64Array(2 * (chords + 1));
  for (let i = 0; i <= chords; i++) {
    const angle = start + (sweep * i) / chords;
    points[2 * i] = x + radius * Math.cos(angle);
    points[2 * i + 1] = y + radius * Math.sin(angle);
  }
  return points;
}

/** Names and strokes, in label order. */
export const GLYPHS: readonly { readonly name: string; readonly strokes: readonly Stroke[] }[] = [
  { name: 'ring', strokes: [arc(0, 0, 0.72, 0, 360)] },
  { name: 'plus', strokes: [line(0, -0.8, 0, 0.8), line(-0.75, 0, 0.75, 0)] },
  { name: 'tee', strokes: [line(-0.75, -0.7, 0.75, -0.7), line(0, -0.7, 0, 0.8)] },
  { name: 'hook', strokes: [line(0.4, -0.8, 0.4, 0.3), arc(-0.05, 0.3, 0.45, 0, 180)] },
  { name: 'zigzag', strokes: [line(-0.65, -0.7, 0.65, -0.7, -0.65, 0.7, 0.65, 0.7)] },
  { name: 'wave', strokes: [arc(0, -0.38, 0.4, -20, -270), arc(0, 0.42, 0.4, -90, 160)] },
  { name: 'triangle', strokes: [line(0, -0.8, 0.75, 0.6, -0.75, 0.6, 0, -0.8)] },
  { name: 'fork', strokes: [line(-0.65, -0.75, 0, 0, 0.65, -0.75), line(0, 0, 0, 0.8)] },
  { name: 'arch', strokes: [line(-0.6, 0.8, -0.6, -0.1), arc(0, -0.1, 0.6, 180, 360), line(0.6, -0.1, 0.6, 0.8)] },
  { name: 'key', strokes: [arc(0.05, -0.32, 0.45, 0, 360), line(-0.4, -0.32, -0.4, 0.85)] },
];
