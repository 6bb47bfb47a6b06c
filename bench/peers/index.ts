import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Engine } from '../engine.js';
import { loadJax } from './jax.js';
import { loadTensorFlow } from './tfjs.js';

/** Libraries we measure ourselves against. */
export const PEER_NAMES = ['tfjs-wasm', 'tfjs-cpu', 'jax-js'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

const LOADERS: Readonly<Record<PeerName, () => Promise<Engine>>> = {
  'tfjs-wasm': () => loadTensorFlow('wasm'),
  'tfjs-cpu': () => loadTensorFlow('cpu'),
  'jax-js': loadJax,
};

const PACKAGES: Readonly<Record<PeerName, string>> = {
  'tfjs-wasm': '@tensorflow/tfjs-backend-wasm',
  'tfjs-cpu': '@tensorflow/tfjs-backend-cpu',
  'jax-js': '@jax-js/jax',
};

/** @throws Error if the peer is not installed or does not start */
export function loadPeer(name: PeerName): Promise<Engine> {
  return LOADERS[name]();
}

/** The installed version of each peer; null where there is none. */
export function peerVersions(): Record<PeerName, string | null> {
  const require = createRequire(import.meta.url);
  const version = (name: PeerName) => {
    try {
      const entry = require.resolve(PACKAGES[name]);
      const home = entry.slice(0, entry.lastIndexOf(join('node_modules', PACKAGES[name])));
      const manifest = readFileSync(join(home, 'node_modules', PACKAGES[name], 'package.json'), 'utf8');
      return (JSON.parse(manifest) as { version: string }).version;
    } catch {
      return null;
    }
  };
  return { 'tfjs-wasm': version('tfjs-wasm'), 'tfjs-cpu': version('tfjs-cpu'), 'jax-js': version('jax-js') };
}
