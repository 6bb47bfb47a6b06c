import { DataError } from '../tensor/errors.js';
import type { RunConfig } from './config.js';
import { differences, flagOf, valueAt } from './settings.js';

/** What may differ when a run is gone on with: nothing that was computed so far depends on it. */
const FREE = ['epochs', 'schedule', 'optimizer.learningRate', 'checkpointEvery', 'backend'];
/** Changes of these are kept in the run's history: what is computed from there on depends on them. */
const REMEMBERED = ['schedule', 'optimizer.learningRate'];
/** What a run finds out by itself. */
const FACTS = ['classNames', 'dataDir', 'dataPath', 'origin', 'history'];

const isBelow = (path: string, roots: readonly string[]) =>
  roots.some((root) => path === root || path.startsWith(`${root}.`));

/** The settings that differ between two configurations, what a run finds out by itself aside. */
function changedSettings(before: RunConfig, after: RunConfig): string[] {
  return differences(before, after).filter((path) => !isBelow(path, FACTS));
}

/** The settings that differ and may not when a run is gone on with. */
export function lockedChanges(before: RunConfig, after: RunConfig): string[] {
  return changedSettings(before, after).filter((path) => !isBelow(path, FREE));
}

/** `--acc-bits is 11, was 10`: a setting that differs between two configurations. @param path of its value */
export function describeChange(before: RunConfig, after: RunConfig, path: string): string {
  return `${flagOf(path) ?? path} is ${text(valueAt(after, path))}, was ${text(valueAt(before, path))}`;
}

/** The configuration that a run goes on with, and what to tell about it. */
export interface Continuation {
  readonly config: RunConfig;
  readonly notes: readonly string[];
}

/**
 * Compares a configuration with that of the checkpoint it is to go on from, which is what was trained.
 *
 * @param step steps taken so far
 * @throws DataError naming what differs, if it would make another run of it
 */
export function goOnWith(trained: RunConfig, wanted: RunConfig, step: number): Continuation {
  const changed = changedSettings(trained, wanted);
  const say = (path: string) => describeChange(trained, wanted, path);
  const wrong = lockedChanges(trained, wanted);
  if (wrong.length > 0) {
    throw new DataError(
      'resume',
      `the configuration is not that of the checkpoint: ${wrong.map(say).join('; ')}; put it back as it was`,
    );
  }
  const { history = [], classNames } = trained;
  const changes = REMEMBERED.filter((path) => differences(valueAt(trained, path), valueAt(wanted, path)).length > 0);
  const added = changes.map((setting) => {
    const [from, to] = [valueAt(trained, setting), valueAt(wanted, setting)];
    return { step, setting, from, to } as NonNullable<RunConfig['history']>[number];
  });
  const all = [...history, ...added];
  return {
    config: { ...wanted, ...(classNames ? { classNames } : {}), ...(all.length > 0 ? { history: all } : {}) },
    // A checkpoint does not say how often it is written.
    notes: changed.filter((path) => path !== 'checkpointEvery').map(say),
  };
}

function text(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
