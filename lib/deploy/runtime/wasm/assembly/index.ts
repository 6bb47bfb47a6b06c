/** Every kernel of the integer runtime. All agree: units `begin … end` of the work, then the thread's scratch. */
export { additions2, additions4, additions8, gather, sumUnits2, sumUnits4, sumUnits8 } from './additions';
export { productsOfPairs, productsOfQuads, microPairs, microQuads } from './products';
export { restoreTiles, winograd } from './winograd';
export { windowSums16, windowSums16u, windowSums32, windowSums32u } from './windows';
export { linear } from './linear';
export { addBytes, addWords, maximum, maximumUnsigned, sumPlanes, sumPlanesUnsigned } from './elementwise';
export { requantize, finish16, finish32 } from './finish';
export { moveBytes, moveWords, narrow, spread, spreadUnsigned, widen, widenUnsigned } from './moves';
