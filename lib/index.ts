export * from './tensor/errors.js';
export { Random, type RandomState } from './tensor/random.js';
