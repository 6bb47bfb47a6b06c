/**
 * a2q.js/runtime: runs deployed networks, in integers alone; for browsers and Node, without what trains them. What it
 * shares with the package root are the same modules: an error caught here is an error there.
 */
export type { Guess } from './data/guesses.js';
export { decodeOutput, pixelTables, quantizeInput } from './deploy/graph/decode.js';
export { endingAt } from './deploy/graph/endingAt.js';
export type * from './deploy/graph/graph.js';
export { type ChannelRange, type GraphRanges, inferRanges } from './deploy/graph/ranges.js';
export { type GraphShapes, inferShapes } from './deploy/graph/shapes.js';
export * from './deploy/runtime/createRuntime.js';
export * from './deploy/runtime/loadNetwork.js';
export { classify, type Picture, pictureInput, upscale } from './deploy/runtime/pictures.js';
export type { IntegerValue } from './deploy/runtime/reference.js';
export type { PlannedNode, Runtime } from './deploy/runtime/runtime.js';
export * from './tensor/errors.js';
