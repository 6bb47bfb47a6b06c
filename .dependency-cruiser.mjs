/**
 * Which module may import which: the rooms of lib in their order, and no circles, types included.
 * Part of `npm run lint`.
 */

/** The rooms, bottom up: each imports from those before it. A new room is one name here. */
const ROOMS = ['tensor', 'kernels', 'autograd', 'nn', 'quant', 'data', 'deploy', 'train', 'sweep', 'cli'];

/** Rooms that see fewer than all before them. */
const SEES = { data: ['tensor'] };

const inside = (rooms) => `^lib/(${rooms.join('|')})/`;

const down = ROOMS.map((room, level) => {
  const below = SEES[room] ?? ROOMS.slice(0, level);
  return {
    name: `lib/${room} imports ${below.length > 0 ? below.join(', ') : 'nothing else of lib'}`,
    severity: 'error',
    from: { path: inside([room]) },
    to: { path: '^lib/', pathNot: inside([room, ...below]) },
  };
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...down,
    {
      name: 'every room of lib stands in ROOMS',
      severity: 'error',
      from: { path: '^lib/[^/]+/', pathNot: inside(ROOMS) },
      to: {},
    },
    {
      name: 'the verifier shares no code with the prover',
      severity: 'error',
      from: { path: '^lib/deploy/verify/' },
      to: { pathNot: '^lib/deploy/verify/' },
    },
    {
      name: 'a2q.js/runtime reaches nothing that trains',
      severity: 'error',
      from: { path: '^lib/runtime[.]ts$' },
      to: { path: '^lib/(autograd|nn|quant|train|sweep|cli)/', reachable: true },
    },
    { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'imported files exist',
      severity: 'error',
      from: {},
      // Generated ones exist once built, or only while the kernels are compiled.
      to: { path: '^[.]', pathNot: '[.]generated', couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
