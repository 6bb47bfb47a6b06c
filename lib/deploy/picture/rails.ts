/** An edge that does not lead to the next row: it runs beside the rows between, in a lane of its own. */
export interface Arc {
  readonly from: number;
  readonly to: number;
  /** 0 is next to the rows. */
  readonly lane: number;
}

/**
 * Lanes for the edges that pass over rows, so that no two run in one lane side by side; short ones lie inside.
 * @param inputs of each row: the rows that it reads
 */
export function arcsOf(inputs: readonly (readonly number[])[]): Arc[] {
  const edges = inputs.flatMap((rows, to) =>
    [...new Set(rows)].filter((from) => from !== to - 1).map((from) => ({ from, to })),
  );
  const lanes: { from: number; to: number }[][] = [];
  return edges
    .sort((a, b) => a.to - a.from - (b.to - b.from) || a.from - b.from)
    .map((edge) => {
      const isFree = (lane: readonly { from: number; to: number }[]) =>
        lane.every(({ from, to }) => edge.to <= from || edge.from >= to);
      const found = lanes.findIndex(isFree);
      const lane = found === -1 ? lanes.push([]) - 1 : found;
      lanes[lane].push(edge);
      return { ...edge, lane };
    });
}
