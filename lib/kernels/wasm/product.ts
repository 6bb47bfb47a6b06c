import type { View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import { KC, MC, NC, ROWS, TILE_BYTES } from './assembly/blocking.js';
import type { Machine } from './machine.js';

/** Estimated multiply-adds a nanosecond. */
const RATE = 18;

/** The matrix product. */
export function productKernels(machine: Machine): Pick<RequiredKernels, 'matmul'> {
  return { matmul: (a, b) => multiply(machine, a, b) };
}

function multiply(machine: Machine, a: View, b: View): View {
  const [batch, m, k] = a.shape;
  const n = b.shape[2];
  const out = machine.output([batch, m, n]);
  if (batch * m * n === 0) return out;
  if (k === 0) {
    machine.run('fill', { units: batch * m * n, align: 16, cost: 0.3 }, 0, machine.address(out));
    return out;
  }
  // One right operand for the whole batch: its rows make one tall matrix.
  const tall = batch > 1 && b.strides[0] === 0 && a.strides[0] === m * a.strides[1];
  const products = tall ? 1 : batch;
  const rows = tall ? batch * m : m;
  const axis = products >= 8 ? 0 : n >= rows ? 2 : 1;
  const units = [products, Math.ceil(rows / ROWS), Math.ceil(n / 8)][axis];
  const [aBatch, aRow, aColumn] = a.strides.map((stride) => stride * 4);
  const [bBatch, bRow, bColumn] = b.strides.map((stride) => stride * 4);
  const plan = machine.plan('Product', {
    ...{ m: rows, n, k, axis, batch: products },
    ...{ a: machine.address(a), aBatch, aRow, aColumn },
    ...{ b: machine.address(b), bBatch, bRow, bColumn },
    c: machine.address(out),
  });
  const width = Math.min(NC, Math.ceil(n / 8) * 8);
  const scratch = TILE_BYTES + (MC * KC + width * Math.min(KC, k)) * 4;
  const job = { units, cost: (products * rows * n * k) / RATE / units, scratch: () => scratch };
  machine.run('gemm', job, plan);
  return out;
}
