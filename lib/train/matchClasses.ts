import type { HostTensor, Module } from '../nn/module.js';
import { DataError } from '../tensor/errors.js';
import type { NamedState } from './prepare.js';

/**
 * Checks that weights are of the classes to be told apart, by name and in any order. Nothing is known of files of other
 * programs, nor of pairs of images.
 * @param wanted names in the order of the labels
 * @throws DataError naming the classes that differ
 */
export function checkSameClasses({ classNames, name }: NamedState, wanted: readonly string[] | undefined): void {
  if (!classNames || !wanted) return;
  const [theirs, ours] = [classNames.map(nfc), wanted.map(nfc)];
  const only = (some: readonly string[], others: readonly string[]) => some.filter((each) => !others.includes(each));
  const [gone, added] = [only(theirs, ours), only(ours, theirs)];
  if (gone.length + added.length === 0) return;
  const say = (names: readonly string[], where: string) => (names.length === 0 ? [] : [`${names.join(', ')} ${where}`]);
  const what = [...say(gone, 'only there'), ...say(added, 'only in the data')].join('; ');
  throw new DataError('initFrom', `${name} tells other classes apart: ${what}`);
}

/**
 * Weights with the rows of the last layer in the order of the classes to be told apart.
 * @param wanted names in the order of the labels
 * @throws DataError as {@link checkSameClasses}, or if the last layer is not one of a row for each class
 */
export function matchClasses(model: Module, source: NamedState, wanted: readonly string[] | undefined): NamedState {
  checkSameClasses(source, wanted);
  const { classNames, state, name } = source;
  if (!classNames || !wanted) return source;
  const theirs = classNames.map(nfc);
  const order = wanted.map((each) => theirs.indexOf(nfc(each)));
  if (order.every((from, to) => from === to)) return source;
  const layer = lastLayer(model);
  const own = [...state].filter(([key]) => key === `${layer}.weight` || key === `${layer}.bias`);
  const rank = state.get(`${layer}.weight`)?.shape.length ?? 0;
  if (rank < 2 || own.some(([, { shape }]) => shape[0] !== wanted.length)) {
    throw new DataError(
      'initFrom',
      `${name} has its classes in another order, and its last layer, ${layer}, has no row for each`,
    );
  }
  const sorted = own.map(([key, entry]) => [key, rowsInOrder(entry, order)] as const);
  return { ...source, state: new Map([...state, ...sorted]), classNames: wanted };
}

function nfc(name: string): string {
  return name.normalize('NFC');
}

/** The name of the last module with weights of its own. */
function lastLayer(model: Module): string {
  const names = [...model.namedParameters()].map(([name]) => name).filter((name) => /(^|\.)weight$/.test(name));
  return (names.at(-1) ?? '').replace(/\.?weight$/, '');
}

function rowsInOrder({ shape, data }: HostTensor, order: readonly number[]): HostTensor {
  const size = data.length / order.length;
  const sorted = data.slice();
  for (const [to, from] of order.entries()) sorted.set(data.subarray(from * size, (from + 1) * size), to * size);
  return { shape, data: sorted };
}
