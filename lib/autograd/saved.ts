import { formatShape, TapeError } from '../tensor/errors.js';
import type { View } from '../tensor/view.js';
import type { SavedKey } from './row.js';

/** A value, and how often its memory had been overwritten when it was saved. */
interface Kept {
  readonly view: View;
  readonly version: number;
}

/** What one node of the tape keeps for backward: the inputs and outputs that its row declares. */
export class SavedValues {
  readonly #row: string;
  readonly #kept: ReadonlyMap<SavedKey, Kept>;

  constructor(row: string, keys: readonly SavedKey[], inputs: readonly View[], outputs: readonly View[]) {
    this.#row = row;
    this.#kept = new Map(
      keys.map((key) => {
        const view = typeof key === 'number' ? inputs[key] : outputs[Number(key.slice(6))];
        return [key, { view, version: view.storage.version }];
      }),
    );
  }

  /** @throws TapeError for what was not declared, or overwritten since: the gradient would be that of another point */
  read(key: SavedKey): View {
    const kept = this.#kept.get(key);
    if (!kept) throw new TapeError(this.#row, `the gradient rule reads ${key} without declaring it in saves`);
    const { view, version } = kept;
    if (view.storage.version === version) return view;
    const what = typeof key === 'number' ? `input ${key}` : key;
    throw new TapeError(
      'backward',
      `${this.#row} saved its ${what} ${formatShape(view.shape)} at version ${version}, and it was overwritten since ` +
        `(now version ${view.storage.version}); run backward before what overwrites it, such as an optimizer's step`,
    );
  }
}
