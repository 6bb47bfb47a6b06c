import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { buildPage } from '../examples/browser/build.js';
import { STRICT_POLICY, servePage } from '../examples/browser/server.js';
import { launch, noChromium } from './browser/chromium.js';

t.setTimeout(900_000);

/** Chooses a mode and, unless told otherwise, the shortest story, and starts it. */
async function train(page: Page, mode: string, length = 'glimpse'): Promise<void> {
  await page.selectOption('[name=mode]', mode);
  await page.selectOption('[name=length]', length);
  await page.click('#start');
}

const ended = (page: Page) =>
  page.waitForSelector('#now[data-state=done], #now[data-state=failed], #now[data-state=stopped]', {
    timeout: 600_000,
  });

for (const production of [false, true]) {
  const build = production ? 'the minified page' : 'the page as developed';
  await t.test(build, { skip: noChromium }, async (t) => {
    t.setTimeout(900_000);
    const folder = await mkdtemp(join(tmpdir(), 'a2q-example-'));
    await buildPage(folder, production);
    const { server, url } = await servePage(folder, STRICT_POLICY);
    const browser = await launch();
    t.teardown(async () => {
      await browser.close();
      server.close();
      await rm(folder, { recursive: true });
    });
    const page = await browser.newPage();
    const [errors, scripts]: [string[], string[]] = [[], []];
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('request', (request) => {
      if (request.resourceType() === 'script') scripts.push(new URL(request.url()).pathname);
    });
    await page.goto(url);
    const text = (selector: string) => page.textContent(selector);

    t.notOk(
      scripts.some((path) => path.includes('gpu')),
      `gpu.js is not loaded with the page: ${scripts}`,
    );

    for (const mode of ['gpu:webgpu', 'gpu:webgl2']) {
      await train(page, mode);
      await ended(page);
      t.equal(await text('#error'), '');
      t.match(await text('#now'), /done: 20 steps in \d+ s/);
      t.equal(await text('#ran'), mode, 'what ran is what was chosen');
      t.match(await text('#adapter'), /SwiftShader.*software, this is your processor and no GPU/i);
      const curve = (chart: string, phase: string) => page.getAttribute(`#${chart} path.${phase}`, 'd');
      for (const phase of ['float', 'quantized']) {
        t.equal((await curve('loss', phase))?.match(/[ML]/g)?.length, 10, `the loss of ten ${phase} steps is drawn`);
        t.equal((await curve('accuracy', phase))?.match(/[ML]/g)?.length, 1, `and one look at ${phase} accuracy`);
      }
      t.equal(await page.locator('#proof tbody tr').count(), 2);
      for (const fits of await page.locator('#proof tbody td:last-child').allTextContents())
        t.equal(fits, 'yes, in 10');
    }
    t.ok(
      scripts.some((path) => path.includes('gpu')),
      'gpu.js came when it was needed',
    );

    await train(page, 'gpu:cpu');
    await ended(page);
    t.equal(
      await text('#error'),
      "gpu:cpu: this page's content security policy forbids code from strings (unsafe-eval); choose another backend",
      'what cannot run here says why',
    );
    t.equal(await text('#ran'), 'nothing yet');
    t.equal(await page.getAttribute('#now', 'data-state'), 'failed');

    await train(page, 'wasm', 'long');
    await page.click('#stop');
    await ended(page);
    t.match(await text('#now'), /stopped after \d+ steps/);
    t.equal(await text('#error'), '');
    t.same(errors, [], 'nothing went wrong unseen');
  });
}
