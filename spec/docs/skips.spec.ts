import t from 'tap';

interface TestScript {
  skippedIn(tap: string): { name: string; reason: string }[];
  skipSummary(found: readonly { file: string; name: string; reason: string }[]): string;
}

const script = new URL('../../../scripts/test.mjs', import.meta.url);
const { skippedIn, skipSummary } = (await import(script.href)) as TestScript;

t.test('what is skipped is found with its reason, nested tests too', async (t) => {
  const tap = `TAP version 14
# Subtest: outer
    ok 1 - runs # time=3.1ms
    ok 2 - inner # SKIP no browser at /usr/bin/chromium
    1..2
ok 1 - outer # time=5ms
ok 2 - the \\# of things # time=1ms # SKIP
not ok 3 - fails # time=1ms
1..3
`;
  t.same(skippedIn(tap), [
    { name: 'inner', reason: 'no browser at /usr/bin/chromium' },
    { name: 'the # of things', reason: 'no reason given' },
  ]);
});

t.test('the summary has a line for each reason', async (t) => {
  t.equal(skipSummary([]), 'nothing was skipped');
  const found = ['a', 'b', 'c'].map((name) => ({
    name,
    file: name === 'c' ? 'two.spec.ts' : 'one.spec.ts',
    reason: name === 'b' ? 'no data' : 'no browser',
  }));
  t.equal(
    skipSummary(found),
    'skipped, 3 in all:\n  2 × no browser (one.spec.ts, two.spec.ts)\n  1 × no data (one.spec.ts)',
  );
});
