/** What needs Node: data sets from files. Everything else is in the package root. */
export * from './data/node/index.js';
