import type { BatchOptions } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import type { Module, StateDict } from '../nn/module.js';
import { Parameter } from '../nn/parameter.js';
import { ActivationQuantizer } from '../quant/activation.js';
import { calibrateActivations, correctBias } from '../quant/calibrate.js';
import { epInit, initializeQuantizers } from '../quant/epInit.js';
import { quantLayers } from '../quant/layers.js';
import { METHODS } from '../quant/methods.js';
import { WeightQuantizer } from '../quant/weightQuantizer.js';
import { full, tensor } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { breathe } from './breathe.js';
import type { RunConfig } from './config.js';
import { drawHeWeights } from './models.js';

/** What a fresh model goes through before its first step. */
export type PrepareConfig = Pick<RunConfig, 'start' | 'seed' | 'batchSize' | 'method'>;

/** Whom to tell of the stages, and who may end them. */
export interface PrepareOptions {
  /** Told the name of each stage as it begins. */
  readonly onStage?: (stage: string) => void;
  /** Gives up between two batches, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Tells the generator of He's weights from that of the model's own. */
const HE_STREAM = 1;

/**
 * Brings a fresh model to the point where training begins, in the order of the papers: weights (from a checkpoint, or
 * He's), scales and norms from the weights, EP-init, activation calibration, bias correction. (Cross-layer equalization,
 * which would come first, needs batch norms folded away and is left out.)
 *
 * @param source the state of a float checkpoint; null keeps random weights
 * @param dataset gives the images for calibration and bias correction, plain, in an order drawn from the seed
 * @throws DataError if the checkpoint does not fit the model
 */
export async function prepareModel(
  model: Module,
  { start, seed, batchSize, method }: PrepareConfig,
  source: { readonly state: StateDict; readonly name: string } | null,
  dataset: Batchable,
  { onStage = () => undefined, signal }: PrepareOptions = {},
): Promise<void> {
  if (source) await loadFloatWeights(model, source.state, source.name);
  else if (start.heInit) drawHeWeights(model, new Random(seed).fork(HE_STREAM));
  if (METHODS[method].weights === null) return;
  initializeQuantizers(model);
  if (start.epInit) {
    onStage('EP-init');
    await epInit(model);
  }
  if (start.calibrationSamples === 0) return;
  const samples = Math.min(start.calibrationSamples, dataset.length);
  const part = new Random(seed).permutation(dataset.length).slice(0, samples);
  const calibration = { batchSize, part };
  onStage('activation calibration');
  await calibrateActivations(model, inputsOf(dataset, calibration, signal));
  if (!start.biasCorrection) return;
  onStage('bias correction');
  await correctBias(model, () => inputsOf(dataset, calibration, signal));
}

/** The inputs of batches as tensors; each is freed when the next is asked for. */
async function* inputsOf(dataset: Batchable, options: BatchOptions, signal?: AbortSignal): AsyncGenerator<Tensor> {
  for await (const { inputs, inputShape } of batchesOf(dataset, options)) {
    const x = tensor(inputs, inputShape);
    try {
      yield x;
    } finally {
      dispose(x);
    }
    await breathe();
    signal?.throwIfAborted();
  }
}

/** A name that belongs to a quantizer in any of our checkpoints. */
const QUANTIZER_STATE = /(^|\.)(weight_quant\.[dt]|value|running_threshold|steps)$/;

/** The names of a model's state that belong to quantizers. */
function quantizerState(model: Module): (name: string) => boolean {
  const prefixes: string[] = [];
  for (const [name, module] of model.namedModules()) {
    if (module instanceof WeightQuantizer || module instanceof ActivationQuantizer) prefixes.push(`${name}.`);
  }
  return (name) => prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * Loads weights, biases and norms from a checkpoint of the same model, float or quantized. Quantizers keep what they
 * have: they start anew.
 *
 * @throws DataError listing what is missing, left over or misshapen; nothing changes then
 */
export async function loadFloatWeights(model: Module, state: StateDict, name: string): Promise<void> {
  adoptBiases(model, state);
  const own = quantizerState(model);
  const floats: StateDict = new Map([...state].filter(([key]) => !own(key) && !QUANTIZER_STATE.test(key)));
  const wanted = new Set([...(await model.stateDict()).keys()].filter((key) => !own(key)));
  const missing = [...wanted].filter((key) => !floats.has(key));
  const unexpected = [...floats.keys()].filter((key) => !wanted.has(key));
  if (missing.length + unexpected.length > 0) {
    throw new DataError('initFrom', `${name} is of another model: ${describe(missing, unexpected)}`);
  }
  model.loadStateDict(floats, { partial: true });
}

function describe(missing: readonly string[], unexpected: readonly string[]): string {
  const part = (what: string, names: readonly string[]) =>
    names.length === 0
      ? []
      : [`${names.length} ${what} (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})`];
  return [...part('entries missing', missing), ...part('unknown', unexpected)].join('; ');
}

/** Gives a bias to every quantized layer that has one in the state but not yet in the model: bias correction adds them. */
export function adoptBiases(model: Module, state: StateDict): void {
  for (const [name, layer] of quantLayers(model)) {
    if (layer.bias !== null || !state.has(`${name}.bias`)) continue;
    layer.bias = scope(() => new Parameter(full([layer.weight.shape[0]], 0)));
  }
}
