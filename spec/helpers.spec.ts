import t from 'tap';
import { difference, inequality, relativeDifference } from './helpers.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

t.test('difference: the bound is tolerance·max(1, max|want|)', (t) => {
  t.equal(difference([1, 2], [1, 2], 0), null);
  t.equal(difference([0.0009], [0], 1e-3), null, 'small numbers are compared absolutely');
  t.match(difference([0.0011], [0], 1e-3), /element 0/);
  t.equal(difference([1000.9, 0.9], [1000, 0], 1e-3), null, 'large numbers set the scale for all');
  t.match(difference([1001.1, 0], [1000, 0], 1e-3), /element 0/);
  t.match(difference([1000, 1.1], [1000, 0], 1e-3), /element 1/);
  t.match(difference([1, 2 + 1e-9], [1, 2], 0), /element 1/, 'tolerance 0 is exact');
  t.match(difference([1.01], [1], 1e-5), /element 0 of 1: got 1.01, want 1/, 'two decimals are not five');
  t.match(difference([-1], [1], 1e-5), /element 0/, 'signs count');
  t.end();
});

t.test('difference: lengths and tolerances that cannot be', (t) => {
  t.match(difference([1], [1, 1], 1), /got 1 numbers, want 2/);
  t.match(difference([1, 1], [1], 1), /got 2 numbers, want 1/);
  t.match(difference([], [1], 1), /got 0 numbers/);
  t.equal(difference([], [], 0), null);
  t.match(difference([1], [1], nan), /tolerance is NaN/);
  t.match(difference([1], [1], -1), /tolerance is -1/);
  t.match(relativeDifference([1], [1], nan), /tolerance is NaN/);
  t.end();
});

t.test('difference: NaN and infinities match themselves only', (t) => {
  t.equal(difference([nan, inf, -inf], [nan, inf, -inf], 0), null);
  t.match(difference([nan], [0], 1e9), /got NaN, want 0/);
  t.match(difference([0], [nan], 1e9), /got 0, want NaN/);
  t.match(difference([inf], [-inf], 1e9), /got Infinity/);
  t.match(difference([inf], [1], 1e9), /got Infinity/);
  t.match(difference([1], [inf], 1e9), /want Infinity/);
  t.match(difference([inf, 1.1], [inf, 1], 1e-3), /element 1/, 'an infinite want does not loosen the others');
  t.end();
});

t.test('relativeDifference holds each element to its own size', (t) => {
  t.equal(relativeDifference([1e-9, 1e9], [1e-9, 1e9], 0), null);
  t.equal(relativeDifference([1.0005e-9], [1e-9], 1e-3), null);
  t.match(relativeDifference([1000, 1.002e-9], [1000, 1e-9], 1e-3), /element 1/);
  t.match(relativeDifference([1e-12], [0], 1e-3), /element 0/);
  t.match(relativeDifference([nan], [1], 1), /NaN/);
  t.end();
});

t.test('inequality is exact, and tells −0 apart on request', (t) => {
  t.equal(inequality([1, nan, -0], [1, nan, 0]), null);
  t.match(inequality([-0], [0], { signedZeros: true }), /got -0, want 0/);
  t.equal(inequality([-0, 0], [-0, 0], { signedZeros: true }), null);
  t.match(inequality([1 + Number.EPSILON], [1]), /not equal/);
  t.match(inequality([0], [nan]), /want NaN/);
  t.match(inequality([1, 2], [1]), /got 2 numbers/);
  t.end();
});
