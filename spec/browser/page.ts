import type { Test } from 'tap';
import type { Backend } from '../../lib/kernels/backend.js';
import type { Handle } from '../../lib/kernels/gpu/content.js';
import { createGpuBackend, type GpuBackend, type GpuMode, VARIANTS } from '../../lib/kernels/gpu/index.js';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import type { View } from '../../lib/tensor/view.js';
import { checkGolden } from '../conformance/checks.js';
import type { Json } from '../conformance/golden.js';
import { Report } from '../conformance/report.js';
import { deviceConformance } from '../kernels/conformance/device.js';
import { edgeConformance } from '../kernels/conformance/edges.js';
import { Subject } from '../kernels/conformance/subject.js';
import { conformance } from '../kernels/conformance.js';
import { trainSteps } from '../kernels/gpu/steps.js';
import { type Extent, sameBits } from '../kernels/gpu/variants.js';
import { type Attack, attack, type Tally } from '../quant/guarantee.js';

/** What a page found: how many assertions passed, the first that did not, and what ran. */
export interface PageReport {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly description: ReturnType<GpuBackend['describe']>;
}

type Body = (t: Test) => unknown;

/** The part of tap that the conformance suite speaks to, for pages: it only keeps what failed. */
class PageTest {
  static passed = 0;
  static failures: string[] = [];

  constructor(readonly path: string) {}

  async test(name: string, body: Body): Promise<void> {
    const inner = new PageTest(`${this.path} > ${name}`);
    try {
      await body(inner as unknown as Test);
    } catch (error) {
      inner.fail(String(error));
    }
  }

  pass(): boolean {
    PageTest.passed++;
    return true;
  }

  fail(message: string): boolean {
    PageTest.failures.push(`${this.path}: ${message}`);
    return false;
  }

  ok(condition: unknown, message = 'should be true'): boolean {
    return condition ? this.pass() : this.fail(message);
  }

  equal(got: unknown, want: unknown, message = 'should be equal'): boolean {
    return this.ok(got === want, `${message}: got ${got}, want ${want}`);
  }

  match(got: string, pattern: RegExp): boolean {
    return this.ok(pattern.test(got), `${got} does not match ${pattern}`);
  }

  throws(work: () => unknown, kind: new (...args: never[]) => Error, message = 'should throw'): boolean {
    try {
      work();
    } catch (error) {
      return this.ok(error instanceof kind, `${message}: threw ${error}`);
    }
    return this.fail(message);
  }
}

/** Kernel conformance on a backend started in this page: all of it, or memory and edges only. */
async function kernels(name: string, full: boolean): Promise<PageReport> {
  const backend = await startBackend(name);
  const t = new PageTest(name) as unknown as Test;
  if (full) await conformance(t, backend);
  else {
    await t.test('memory', (t) => deviceConformance(t, backend));
    await t.test('edges', (t) => edgeConformance(t, new Subject(backend, 'float32')));
  }
  const description = (backend as typeof backend & GpuBackend).describe();
  return { passed: PageTest.passed, failures: PageTest.failures.slice(0, 20), description };
}

/** Golden files, fetched from `/golden/`, through the public API. */
async function golden(name: string, files: readonly string[]): Promise<PageReport> {
  const backend = setBackend(await startBackend(name));
  const report = new Report();
  for (const file of files) await checkGolden(file, (await (await fetch(`/golden/${file}`)).json()) as Json, report);
  const failures = report.failures.map(({ name, problems }) => `${name}: ${problems[0]}`).slice(0, 20);
  const description = (backend as typeof backend & GpuBackend).describe();
  return { passed: report.passed, failures, description };
}

/** The guarantee of accumulator-aware layers, attacked on a backend. */
async function guarantee(name: string, size: Attack): Promise<Tally> {
  setBackend(await startBackend(name));
  return attack(size);
}

/** Variants of products and convolutions against the plain ones. */
async function variants(mode: GpuMode, extent: Extent): Promise<PageReport> {
  const [plain, ...others] = await Promise.all(VARIANTS.map((variant) => createGpuBackend({ mode, variant })));
  await sameBits(new PageTest(mode) as unknown as Test, plain, others, extent);
  return { passed: PageTest.passed, failures: PageTest.failures.slice(0, 20), description: plain.describe() };
}

/** What a WebGL backend says when its context is lost under it, to a read, to a kernel, and once it is started anew. */
async function loseContext(): Promise<string[]> {
  const says: string[] = [];
  const tell = (error: unknown) => says.push((error as Error).message);
  const start = async () => {
    const backend = await startBackend('gpu:webgl2');
    return { backend, x: backend.fill([1000], 3, 'float32') };
  };
  const read = (backend: Backend, { storage }: View) => backend.read(storage.handle, storage.length, 'float32');
  const { backend, x } = await start();
  const squares = backend.unary('square', x);
  const texture = (x.storage.handle as Handle).content?.value as { context: WebGL2RenderingContext };
  texture.context.getExtension('WEBGL_lose_context')?.loseContext();
  await read(backend, squares).then((numbers) => says.push(`${numbers[0]}`), tell);
  try {
    backend.unary('exp', x);
  } catch (error) {
    tell(error);
  }
  const again = await start();
  says.push(`${(await read(again.backend, again.backend.unary('square', again.x)))[999]}`);
  return says;
}

Object.assign(globalThis, { a2qSpecs: { kernels, golden, guarantee, variants, loseContext, trainSteps } });
