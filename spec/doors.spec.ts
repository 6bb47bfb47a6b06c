import './startReference.js';
import t from 'tap';
import * as a2q from '../lib/index.js';
import { WRONG } from './wrongValues.js';

/** Names of arguments: of every kind alone, in every place, and everywhere. */
function* calls(): Generator<readonly string[]> {
  yield [];
  for (const kind of Object.keys(WRONG)) {
    yield [kind];
    yield ['a tensor', kind];
    yield [kind, 'a tensor'];
    yield [kind, kind];
    yield ['an empty list', kind];
    yield ['a tensor', 'a tensor', kind];
    yield [kind, kind, kind];
    yield ['a tensor', kind, kind, kind];
  }
}

type Callable = (...given: unknown[]) => unknown;

/** The raw error that a call ends in; null for a result or an error of the library's own. */
async function rawError(call: () => unknown): Promise<string | null> {
  try {
    const result = call();
    const outcome = isIterator(result) ? result.next() : result;
    await Promise.race([outcome, new Promise((done) => setTimeout(done, 20))]);
    return null;
  } catch (error) {
    return error instanceof a2q.A2QError ? null : String(error);
  }
}

function isIterator(value: unknown): value is Iterator<unknown> {
  return typeof (value as Iterator<unknown> | undefined)?.next === 'function';
}

/** Everything that is called: functions, constructors, and the methods of what stands behind a name. */
function* doors(): Generator<readonly [name: string, call: Callable]> {
  for (const [name, value] of Object.entries(a2q)) {
    if (typeof value !== 'function' || value.prototype instanceof Error || name === 'setBackend') continue;
    const isClass = Function.prototype.toString.call(value).startsWith('class');
    const call = value as Callable;
    yield [name, isClass ? (...given) => Reflect.construct(value, given) : (...given) => call(...given)];
  }
  const random = () => new a2q.Random(0);
  const holders: Readonly<Record<string, () => object>> = {
    Tensor: () => a2q.ones([2, 2]),
    Parameter: () => new a2q.Parameter(a2q.ones([2, 2])),
    Random: random,
    Linear: () => new a2q.Linear(2, 2, { random: random() }),
    Sequential: () => new a2q.Sequential(new a2q.ReLU()),
    Conv2d: () => new a2q.Conv2d(1, 1, 1, { random: random() }),
    BatchNorm2d: () => new a2q.BatchNorm2d(2),
    SGD: () => new a2q.SGD([new a2q.Parameter(a2q.ones([2]))], { learningRate: 1 }),
    ActivationQuantizer: () => new a2q.ActivationQuantizer({ bits: 4, signed: true }),
  };
  for (const [name, make] of Object.entries(holders)) {
    for (const method of methodsOf(make())) {
      yield [`${name}.${method}`, (...given) => (make() as Readonly<Record<string, Callable>>)[method](...given)];
    }
  }
}

/** Not for callers: `update` is protected. */
const NOT_PUBLIC: ReadonlySet<string> = new Set(['constructor', 'update']);

/** Names of the methods of an object, its own class's and those above. */
function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && !NOT_PUBLIC.has(name)) names.add(name);
    }
  }
  return [...names];
}

t.test('whatever is handed to a public function, constructor or method, no raw error comes back', async (t) => {
  a2q.setBackend(a2q.backendNamed('wasm'));
  let count = 0;
  for (const [name, call] of doors()) {
    const raw = new Map<string, string>();
    for (const kinds of calls()) {
      const error = await rawError(() => call(...kinds.map((kind) => WRONG[kind]())));
      count += 1;
      if (error !== null) raw.set(error, `${name}(${kinds.join(', ')})`);
    }
    if (raw.size > 0) t.fail(`${name}: raw errors`, { raw: Object.fromEntries(raw) });
  }
  t.ok(count > 20_000, `${count} calls`);
  const { bytes } = a2q.memory(a2q.backendNamed('wasm'));
  t.ok(bytes < 1e8, `${bytes} bytes are held`);
});

t.test('a call with a raw error is told from the rest', async (t) => {
  t.equal(
    await rawError(() => (null as unknown as { x: number }).x),
    "TypeError: Cannot read properties of null (reading 'x')",
  );
  t.equal(await rawError(() => a2q.reshape(undefined as never, [1])), null);
  t.throws(() => a2q.reshape(undefined as never, [1]), {
    name: 'ArgumentError',
    message: 'reshape: x must be a tensor; got undefined',
  });
  t.ok([...doors()].length > 300);
});
