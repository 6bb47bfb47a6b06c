import { A2QError } from '../tensor/errors.js';

/** Hears of a member and the name it stands under. */
export type Visit<Member> = (name: string, member: Member) => void;

/**
 * Visits what counts as a member in a value: the value itself, or what arrays, plain objects and Maps hold, nested to
 * any depth, under names as in PyTorch (`layers.0`, `blocks.down.1`). A container inside itself is opened once.
 *
 * @throws A2QError for members where they cannot be named: in a Set or an object of a class, or under a key with a dot;
 *   for a Promise, which may become one
 */
export function eachMember<Member extends object>(
  name: string,
  value: unknown,
  isMember: (value: unknown) => value is Member,
  visit: Visit<Member>,
  open: readonly object[] = [],
): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (isMember(value)) {
    visit(name, value);
    return;
  }
  if (open.includes(value)) return;
  const entries = entriesOf(value);
  if (entries === null) {
    refuseHidden(name, value, isMember);
    return;
  }
  const inside = [...open, value];
  for (const [key, item] of entries) {
    if (typeof item !== 'object' || item === null) continue;
    eachMember(
      `${name}.${String(key)}`,
      item,
      isMember,
      (at, member) => visit(checkedName(name, key, at), member),
      inside,
    );
  }
}

/** Keys and values of an array, a plain object or a Map; null for anything else. */
function entriesOf(value: object): Iterable<[key: unknown, item: unknown]> | null {
  if (Array.isArray(value)) return value.entries();
  if (value instanceof Map) return value;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.entries(value) : null;
}

function checkedName(container: string, key: unknown, name: string): string {
  if (typeof key === 'number' || (typeof key === 'string' && key !== '' && !key.includes('.'))) return name;
  throw new A2QError('Module', `${container} holds a module or parameter under the key '${String(key)}', no name`);
}

function refuseHidden(name: string, value: object, isMember: (value: unknown) => boolean): void {
  if (value instanceof Promise) {
    throw new A2QError('Module', `${name} holds a Promise, and what comes of it is not found; await it first`);
  }
  const items = value instanceof Set ? [...value] : Object.values(value);
  if (!items.some(isMember)) return;
  const holder = value.constructor?.name ?? 'object';
  throw new A2QError(
    'Module',
    `${name} holds modules or parameters in a ${holder}, where they are not found; use an array, a plain object or a ` +
      'Map, or a private #field for what belongs to another module',
  );
}
