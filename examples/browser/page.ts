import { A2QError, setBackend, startBackend } from '../../lib/index.js';
import type { GpuBackend, GpuDescription } from '../../lib/kernels/gpu/index.js';
import { drawChart, type Point, type Span } from './chart.js';
import { type LayerProof, tellStory } from './training.js';

/** Steps of each phase. */
const LENGTHS: Readonly<Record<string, number>> = { glimpse: 10, story: 100, long: 400 };

const find = <T extends Element>(selector: string): T => document.querySelector(selector) as T;
const form = find<HTMLFormElement>('#settings');
const [start, stop] = [find<HTMLButtonElement>('#start'), find<HTMLButtonElement>('#stop')];
const [error, ran, adapter, now] = ['#error', '#ran', '#adapter', '#now'].map((id) => find<HTMLElement>(id));
const [lossChart, accuracyChart] = [find<SVGSVGElement>('#loss'), find<SVGSVGElement>('#accuracy')];

let controller: AbortController | null = null;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const settings = new FormData(form);
  const chosen = (name: string) => String(settings.get(name));
  void run(chosen('mode'), Number(chosen('bits')), LENGTHS[chosen('length')]);
});
stop.addEventListener('click', () => controller?.abort(new Error('stopped')));
charts([], [], LENGTHS['story']);

/** Trains once, from settings to proof, and shows whatever comes of it. */
async function run(mode: string, accumulatorBits: number, steps: number): Promise<void> {
  controller = new AbortController();
  const { signal } = controller;
  const [losses, accuracies]: [Point[], Point[]] = [[], []];
  begin();
  try {
    state('starting', `starting ${mode}`);
    const backend = setBackend(await startBackend(mode));
    charts(losses, accuracies, steps);
    let proof: LayerProof[] = [];
    const began = performance.now();
    proof = await tellStory(
      { accumulatorBits, steps },
      {
        signal,
        onLoss(point, milliseconds) {
          losses.push(point);
          const phase = point.phase === 'float' ? 'floating point' : `A2Q+ for ${accumulatorBits} bits`;
          state('training', `${phase}, step ${point.step} of ${2 * steps}, ${milliseconds.toFixed(0)} ms a step`);
          if (point.step % 5 === 0 || steps < 50) charts(losses, accuracies, steps);
          tellBackend(backend);
        },
        onAccuracy(point) {
          accuracies.push(point);
          charts(losses, accuracies, steps);
        },
      },
    );
    showProof(proof, accumulatorBits);
    const seconds = (performance.now() - began) / 1000;
    state('done', `done: ${2 * steps} steps in ${seconds.toFixed(0)} s`);
  } catch (reason) {
    if (signal.aborted) state('stopped', `stopped after ${losses.length} steps`);
    else fail(reason);
  } finally {
    end();
  }
}

function begin(): void {
  error.hidden = true;
  error.textContent = '';
  find<HTMLElement>('#proof').hidden = true;
  ran.textContent = 'nothing yet';
  adapter.textContent = '–';
  enable(false);
}

function end(): void {
  controller = null;
  enable(true);
}

function enable(settings: boolean): void {
  for (const each of form.querySelectorAll('select')) each.disabled = !settings;
  start.disabled = !settings;
  stop.disabled = settings;
}

function state(name: string, says: string): void {
  now.dataset['state'] = name;
  now.textContent = says;
}

/** What really runs, as the backend says, not as was asked. */
function tellBackend(backend: { readonly name: string; readonly describe?: unknown }): void {
  ran.textContent = backend.name;
  const details = backend.name.startsWith('gpu:') ? (backend as GpuBackend).describe() : null;
  adapter.textContent = adapterOf(details);
}

function adapterOf(details: GpuDescription | null): string {
  if (details?.adapter) {
    const { vendor, architecture, description } = details.adapter;
    const name = [vendor, architecture, description].filter(Boolean).join(', ') || 'no name';
    return `${name}: ${details.software ? 'software, this is your processor and no GPU' : 'hardware'}`;
  }
  return details?.mode === 'webgl2' ? 'this browser does not tell' : 'none: this is your processor';
}

function fail(reason: unknown): void {
  const says = reason instanceof Error ? reason.message : String(reason);
  error.textContent = reason instanceof A2QError ? says : `Something went wrong: ${says}`;
  error.hidden = false;
  state('failed', 'failed');
}

function charts(losses: readonly Point[], accuracies: readonly Point[], steps: number): void {
  const span = { steps: 2 * steps, turn: steps };
  const lossSpan: Span = { ...span, top: 2.4, format: (value) => value.toFixed(1) };
  drawChart(lossChart, losses, lossSpan);
  drawChart(accuracyChart, accuracies, {
    ...span,
    top: 1,
    dots: true,
    format: (value) => `${(100 * value).toFixed(0)} %`,
  });
}

function showProof(proof: readonly LayerProof[], accumulatorBits: number): void {
  const rows = proof.map(({ name, products, bitsByType, min, max, safeBits, safe }) => {
    const row = document.createElement('tr');
    const fits = safe ? `yes, in ${accumulatorBits}` : `not in ${accumulatorBits}`;
    for (const cell of [name, products, bitsByType, `${min} … ${max}`, safeBits, fits]) {
      row.appendChild(document.createElement('td')).textContent = `${cell}`;
    }
    return row;
  });
  find('#proof tbody').replaceChildren(...rows);
  find<HTMLElement>('#proof').hidden = false;
}
