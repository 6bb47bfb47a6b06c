import type { ImageFile } from '../imageFile.js';
import type { Component, Frame } from './frame.js';

/** The samples of a row of the picture, one a pixel and then some; overwritten by the next call. */
export type ReadRow = (y: number) => Uint8Array;

/**
 * Reads a component at the size of the picture.
 *
 * Components of half the width, the height or both are interpolated as by libjpeg's "fancy" up-sampling: 3/4 of the
 * nearer and 1/4 of the farther sample, rounded up and down by turns so that no bias builds up. Others are repeated.
 *
 * @throws DataError if the ratios are not whole
 */
export function rowReader(file: ImageFile, frame: Frame, component: Component): ReadRow {
  const ratioX = frame.maxH / component.h;
  const ratioY = frame.maxV / component.v;
  if (!Number.isInteger(ratioX) || !Number.isInteger(ratioY)) {
    const [own, most] = [`${component.h}x${component.v}`, `${frame.maxH}x${frame.maxV}`];
    throw file.unsupported(`a component sampled ${own} beside ${most}`);
  }
  const wide = component.width > 2;
  if (ratioX === 1 && ratioY === 1) return plainRows(component);
  if (ratioX === 1 && ratioY === 2) return interpolatedDown(component);
  if (ratioX === 2 && ratioY === 1 && wide) return interpolatedAcross(component);
  if (ratioX === 2 && ratioY === 2 && wide) return interpolatedBothWays(component);
  return repeated(component, ratioX, ratioY);
}

/** Copies a row of samples out of the blocks; rows beyond the picture repeat its first and last. */
function copyRow({ store, stride, blocksWide, height }: Component, y: number, into: Uint8Array): Uint8Array {
  const row = Math.min(Math.max(y, 0), height - 1);
  let from = (row >> 3) * stride * 64 + (row & 7) * 8;
  for (let to = 0; to < blocksWide * 8; to += 8, from += 64) {
    for (let i = 0; i < 8; i++) into[to + i] = store[from + i];
  }
  return into;
}

function rowOf({ blocksWide }: Component): Uint8Array {
  return new Uint8Array(blocksWide * 8);
}

function plainRows(component: Component): ReadRow {
  const row = rowOf(component);
  return (y) => copyRow(component, y, row);
}

function repeated(component: Component, ratioX: number, ratioY: number): ReadRow {
  const row = rowOf(component);
  const out = new Uint8Array(component.width * ratioX);
  return (y) => {
    copyRow(component, Math.floor(y / ratioY), row);
    for (let x = 0; x < component.width; x++) out.fill(row[x], x * ratioX, (x + 1) * ratioX);
    return out;
  };
}

function interpolatedDown(component: Component): ReadRow {
  const [near, far, out] = [rowOf(component), rowOf(component), rowOf(component)];
  return (y) => {
    const lower = y & 1;
    copyRow(component, y >> 1, near);
    copyRow(component, (y >> 1) + (lower ? 1 : -1), far);
    for (let x = 0; x < component.width; x++) out[x] = (3 * near[x] + far[x] + 1 + lower) >> 2;
    return out;
  };
}

function interpolatedAcross(component: Component): ReadRow {
  const row = rowOf(component);
  const out = new Uint8Array(component.width * 2);
  const last = component.width - 1;
  return (y) => {
    copyRow(component, y, row);
    for (let x = 0; x <= last; x++) {
      out[2 * x] = (3 * row[x] + row[x === 0 ? 0 : x - 1] + 1) >> 2;
      out[2 * x + 1] = (3 * row[x] + row[x === last ? last : x + 1] + 2) >> 2;
    }
    return out;
  };
}

function interpolatedBothWays(component: Component): ReadRow {
  const [near, far] = [rowOf(component), rowOf(component)];
  const sums = new Int32Array(near.length);
  const out = new Uint8Array(component.width * 2);
  const last = component.width - 1;
  return (y) => {
    copyRow(component, y >> 1, near);
    copyRow(component, (y >> 1) + (y & 1 ? 1 : -1), far);
    for (let x = 0; x <= last; x++) sums[x] = 3 * near[x] + far[x];
    for (let x = 0; x <= last; x++) {
      out[2 * x] = (3 * sums[x] + sums[x === 0 ? 0 : x - 1] + 8) >> 4;
      out[2 * x + 1] = (3 * sums[x] + sums[x === last ? last : x + 1] + 7) >> 4;
    }
    return out;
  };
}
