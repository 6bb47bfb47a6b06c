import type { TopLevelSpec } from 'vega-lite';
import { largest } from '../../tensor/extremes.js';
import { type Layout, MARGIN, MUTED } from './theme.js';

/** Points in order of x, joined by a line. */
export interface Curve {
  /** Written at its end. */
  readonly name: string;
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Above the panel that it is drawn in, beside others; in the only one, if left out. */
  readonly panel?: string;
}

/** An upright line in a panel. */
export interface Rule {
  readonly x: number;
  readonly name: string;
  readonly panel?: string;
}

export interface CurvesOptions {
  readonly x: string;
  readonly y: string;
  /** A logarithmic axis; default linear, not from 0. */
  readonly log?: boolean;
  /** How y is written, in the notation of d3; default `~g`. */
  readonly format?: string;
  /** The largest y that there can be, above which no axis goes; default none. */
  readonly most?: number;
  readonly height?: number;
  /** Upright lines, each with its name at the foot. */
  readonly rules?: readonly Rule[];
}

/** So many points and fewer are drawn as such, and not only joined. */
const FEW = 20;

/** Share of a panel's width that is kept free for the names at the ends of curves. */
const NAMES = 0.22;

/** Curves that share their axes, in one panel or several. */
export function curvesChart(curves: readonly Curve[], options: CurvesOptions): (layout: Layout) => TopLevelSpec {
  const panels = [...new Set(curves.map(({ panel = '' }) => panel))];
  const longest = largest(curves.map(({ points }) => points.length));
  const all = curves.flatMap(({ points }) => points);
  const xs = all.map((point) => point.x);
  const ys = all.map((point) => point.y);
  const x = xAxis(
    xs,
    options,
    curves.some(({ name }) => name !== ''),
  );
  const y = yAxis(ys, options);
  const height = options.height ?? 220;
  const nameAt = namePlaces(curves, y.scale.domain, options.log ?? false, height);
  // The last point of a curve carries its name.
  const values = curves.flatMap(({ points, ...curve }, id) =>
    points.map((point, i) => ({ panel: '', ...curve, ...point, nameAt: points[i + 1] ? null : nameAt.get(id) })),
  );
  const rules = rulePlaces(options.rules ?? [], y.scale.domain);
  const curvesOnly = rules.length > 0 ? [{ filter: '!datum.rule' }] : [];
  const color = { field: 'colour', type: 'nominal' as const, scale: null };
  const detail = { field: 'name', type: 'nominal' as const };
  return ({ width, columns }) => {
    const across = Math.min(panels.length, columns);
    const spec = {
      width: Math.floor((width - MARGIN - 18 * (across - 1)) / across),
      height,
      layer: [
        ...(rules.length > 0 ? ruleLayers(x, y) : []),
        {
          transform: curvesOnly,
          mark: { type: 'line' as const, strokeWidth: 1.75 },
          encoding: { x, y, color, detail },
        },
        ...(longest > FEW
          ? []
          : [
              {
                transform: curvesOnly,
                mark: { type: 'point' as const, filled: true, size: 30, opacity: 1 },
                encoding: { x, y, color },
              },
            ]),
        {
          transform: [{ filter: 'isValid(datum.nameAt) && datum.name !== ""' }],
          mark: { type: 'text' as const, align: 'left' as const, dx: 5, fontSize: 11 },
          encoding: { x, y: { ...y, field: 'nameAt' }, color, text: { field: 'name' } },
        },
      ],
    };
    const data = { values: [...values, ...rules] };
    if (panels.length === 1) return { data, ...spec };
    return { data, facet: { field: 'panel', type: 'ordinal', sort: panels }, columns: across, spacing: 18, spec };
  };
}

/** Upright lines and their names. */
function ruleLayers(x: object, y: object) {
  const transform = [{ filter: 'datum.rule' }];
  return [
    { transform, mark: { type: 'rule' as const, strokeDash: [3, 3], color: MUTED }, encoding: { x } },
    {
      transform,
      mark: { type: 'text' as const, align: 'left' as const, dx: 4, fontSize: 11, color: MUTED },
      encoding: { x, y, text: { field: 'name' } },
    },
  ];
}

/** Where upright lines have their names: at the foot of a panel, each a little higher than the one before. */
function rulePlaces(rules: readonly Rule[], [low, high]: readonly number[]) {
  return rules.map((rule, i) => {
    const before = rules.slice(0, i).filter(({ panel }) => panel === rule.panel).length;
    return { panel: '', ...rule, rule: true, y: low + (0.04 + 0.06 * before) * (high - low) };
  });
}

/** Least distance of two names, pixels. */
const NAME_GAP = 13;

/** How high the names of curves stand, by their positions, so that none covers another of its panel. */
function namePlaces(curves: readonly Curve[], [low, high]: number[], log: boolean, height: number) {
  const [to, from] = log ? [Math.log, Math.exp] : [(y: number) => y, (y: number) => y];
  const step = (NAME_GAP / height) * (to(high) - to(low));
  const ends = curves
    .map(({ points, panel = '' }, id) => ({ id, panel, at: to(points.at(-1)?.y ?? low) }))
    .sort((a, b) => a.at - b.at);
  const last = new Map<string, number>();
  const places = ends.map(({ id, panel, at }): [id: number, y: number] => {
    const free = Math.max(at, (last.get(panel) ?? Number.NEGATIVE_INFINITY) + step);
    last.set(panel, free);
    return [id, from(free)];
  });
  return new Map(places);
}

function xAxis(values: readonly number[], { x }: CurvesOptions, named: boolean) {
  const [low, high] = extent(values);
  const room = (high - low || 1) * (named ? NAMES : 0.03);
  return {
    field: 'x',
    type: 'quantitative' as const,
    title: x,
    scale: { domain: [low, high + room], nice: false },
    axis: { values: wholeTicks(low, high), format: 'd' },
  };
}

/** Most ticks along x. */
const TICKS = 5;

/** Whole numbers from low to high, in steps of 1, 2 or 5 times a power of ten. */
function wholeTicks(low: number, high: number): number[] {
  const steps = Array.from({ length: 30 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
  const step = steps.find((each) => (high - low) / each < TICKS) ?? 1;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

function yAxis(
  values: readonly number[],
  { y, log = false, format = '~g', most = Number.POSITIVE_INFINITY }: CurvesOptions,
) {
  const [low, high] = extent(values);
  const room = 0.08 * (high - low) || 0.05 * Math.abs(high) || 1;
  const domain = log ? [low / LOG_ROOM, high * LOG_ROOM] : [low - room, Math.min(high + room, Math.max(most, high))];
  return {
    field: 'y',
    type: 'quantitative' as const,
    title: y,
    scale: {
      ...(log ? { type: 'log' as const } : { zero: false }),
      domain,
      nice: false,
    },
    axis: { format, labelOverlap: true, ...(log ? { values: logTicks(domain[0], domain[1]) } : { tickCount: 5 }) },
  };
}

/** Factor of the room above and below the curves of a logarithmic axis. */
const LOG_ROOM = 1.25;

/** Least number of ticks along one; one of them is at the height of the highest curve. */
const LOG_TICKS = 4;

/** Numbers of one digit from low to high, or of two where those are too few: 1, 2 and 5 times powers of ten at best. */
function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => first + i);
  const choices = [
    [1],
    [1, 2, 5],
    [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8],
    Array.from({ length: 90 }, (_, i) => 1 + i / 10),
  ];
  const all = choices.map((digits) => powers.flatMap((power) => digits.map((digit) => digit * 10 ** power)));
  const inside = all.map((ticks) => ticks.filter((tick) => tick >= low && tick <= high));
  const reaching = inside.find((ticks) => ticks.length >= LOG_TICKS && Math.max(...ticks) >= high / LOG_ROOM ** 2);
  return reaching ?? inside[inside.length - 1];
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)] as [number, number], [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ] as [number, number]);
}
