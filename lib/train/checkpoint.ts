import { z } from 'zod';
import { asModule, type Module, type StateDict } from '../nn/module.js';
import { Optimizer } from '../nn/optim/optimizer.js';
import { asInstance, asOptions } from '../tensor/argument.js';
import { DataError, DivergenceError } from '../tensor/errors.js';
import { decodeSafetensors, encodeSafetensors, type TensorFile } from '../tensor/safetensors.js';
import { verifyChecksums, withChecksums } from './checksums.js';
import { checkedConfig, parseConfigText, type RunConfig } from './config.js';
import type { Position } from './fit.js';
import { buildModel, sourceOf } from './models.js';
import { decodeIntegers, encodeIntegers, INTEGERS_PREFIX, type StoredIntegers } from './storedIntegers.js';
import { adoptBiases, quantizerNames, withoutQuantizers } from './weights.js';

/**
 * Checkpoints are safetensors files. A model's tensors have their own names, so that other programs can read them; the
 * optimizer's lie beside them under `optimizer/`, its integers under `integers/`, and all else is JSON in the metadata,
 * checksums of all included. Equal states give equal bytes.
 */

const OPTIMIZER_PREFIX = 'optimizer/';

/** A metric; JSON writes null for the infinite PSNR of images that are equal to the bit. */
export const metricSchema = z.number().or(z.null().transform(() => Number.POSITIVE_INFINITY));

const bestSchema = z.strictObject({ epoch: z.int().min(0), metric: metricSchema });
/** The epoch with the best metric so far. */
export type Best = z.infer<typeof bestSchema>;

const counts = z.array(z.int().min(0));
const stateSchema = z.strictObject({
  position: z.strictObject({
    epoch: z.int().min(0),
    batch: z.int().min(0),
    step: z.int().min(0),
    lossSum: z.number(),
    penaltySum: z.number(),
    samples: z.int().min(0),
  }),
  best: bestSchema.nullable(),
  optimizer: z.strictObject({ type: z.string(), learningRates: z.array(z.number()), steps: counts }),
});

/** A model as it was at some moment. */
export interface ModelCheckpoint {
  readonly config: RunConfig;
  readonly state: StateDict;
  /** The training state, if the file was written to be resumed from. */
  readonly training: TrainingState | null;
  readonly best: Best | null;
  /** The integers of its quantized layers; null in files of earlier versions, and of float models. */
  readonly integers: StoredIntegers | null;
}

/** Beyond the model, what training needs to go on. */
export interface TrainingState {
  readonly position: Position;
  readonly best: Best | null;
  readonly optimizer: {
    readonly type: string;
    readonly learningRates: readonly number[];
    readonly steps: readonly number[];
    readonly tensors: StateDict;
  };
}

/** @throws DivergenceError naming the first tensor with numbers that are not finite */
function checkFinite(tensors: StateDict): void {
  for (const [name, { data }] of tensors) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw new DivergenceError('checkpoint', `training diverged: ${name} holds ${data[at]}`);
  }
}

/** What every checkpoint holds of its model. @throws DivergenceError if a number of it is not finite */
async function contents(model: Module, config: RunConfig, given?: TensorFile): Promise<TensorFile> {
  checkedConfig('checkpoint', config);
  if (given !== undefined) asInstance('checkpoint', 'tensors', asOptions('checkpoint', given, 'integers').tensors, Map);
  const state = await asModule('checkpoint', model).stateDict();
  checkFinite(state);
  const integers = given ?? (await encodeIntegers(model));
  const names = JSON.stringify(quantizerNames(model));
  const metadata = { format: 'pt', a2q_config: JSON.stringify(config), a2q_quantizers: names, ...integers.metadata };
  return { tensors: new Map([...state, ...integers.tensors]), metadata };
}

/**
 * The bytes of a model alone, with what is needed to build it.
 * @param integers of the model as it is, if they were computed already
 * @throws DivergenceError if a number of it is not finite
 */
export async function encodeModel(
  model: Module,
  config: RunConfig,
  best: Best | null = null,
  integers?: TensorFile,
): Promise<Uint8Array> {
  const { tensors, metadata } = await contents(model, config, integers);
  return encodeSafetensors(withChecksums({ tensors, metadata: { ...metadata, a2q_best: JSON.stringify(best) } }));
}

/**
 * The bytes of a run that can be resumed to the same bits.
 * @param integers of the model as it is, if they were computed already
 * @throws DivergenceError if a number of model or optimizer is not finite
 */
export async function encodeTraining(
  model: Module,
  optimizer: Optimizer,
  config: RunConfig,
  at: { readonly position: Position; readonly best: Best | null },
  integers?: TensorFile,
): Promise<Uint8Array> {
  const { position, best } = asOptions('checkpoint', at, 'the position');
  asInstance('checkpoint', 'the optimizer', optimizer, Optimizer);
  const { tensors: averages, ...rest } = await optimizer.state();
  checkFinite(averages);
  const { tensors, metadata } = await contents(model, config, integers);
  for (const [key, tensor] of averages) tensors.set(OPTIMIZER_PREFIX + key, tensor);
  const state = { position, best, optimizer: rest };
  return encodeSafetensors(withChecksums({ tensors, metadata: { ...metadata, a2q_state: JSON.stringify(state) } }));
}

function decodeVerified(bytes: Uint8Array, name: string): TensorFile {
  const file = decodeSafetensors(bytes, name);
  verifyChecksums(file, name);
  return file;
}

/**
 * Reads a checkpoint of ours.
 *
 * @throws DataError naming the file if it is corrupt or was written by another program; and the tensor or text whose
 *   checksum is wrong
 */
export function decodeCheckpoint(bytes: Uint8Array, name: string): ModelCheckpoint {
  const file = decodeVerified(bytes, name);
  const text = file.metadata['a2q_config'];
  if (text === undefined)
    throw new DataError('checkpoint', `${name} says nothing of the model it is of (no a2q_config)`);
  const config = parseConfigText(text, `${name}: a2q_config`);
  const training = decodeTraining(file, name);
  const state = stateIn(file);
  const best = training ? training.best : parseJson(bestSchema.nullable(), file.metadata['a2q_best'] ?? 'null', name);
  return { config, state, training, best, integers: decodeIntegers(file, name) };
}

/**
 * The weights, biases and norms of any safetensors file: our checkpoints tell which modules are quantizers.
 * @throws DataError naming the file if it is corrupt
 */
export function decodeWeights(bytes: Uint8Array, name: string): StateDict {
  return decodeNamedWeights(bytes, name).state;
}

/** As `decodeWeights`, with the classes in the order of the outputs; undefined if the file does not know them. */
export function decodeNamedWeights(bytes: Uint8Array, name: string) {
  const file = decodeVerified(bytes, name);
  const all = stateIn(file);
  const text = file.metadata['a2q_config'];
  const classNames = text === undefined ? undefined : parseConfigText(text, `${name}: a2q_config`).classNames;
  return { state: withoutQuantizers(quantizersIn(file.metadata, all, name), all), classNames };
}

/** The tensors of the model itself. */
function stateIn({ tensors }: TensorFile): StateDict {
  const beside = [OPTIMIZER_PREFIX, INTEGERS_PREFIX];
  return new Map([...tensors].filter(([key]) => !beside.some((prefix) => key.startsWith(prefix))));
}

function quantizersIn(metadata: TensorFile['metadata'], state: StateDict, name: string): string[] {
  const { a2q_quantizers: names, a2q_config: config } = metadata;
  if (names !== undefined) return parseJson(z.array(z.string()), names, name);
  if (config === undefined) return [];
  // Checkpoints of earlier versions do not say so themselves, but the model they are of does.
  const model = buildModel(parseConfigText(config, `${name}: a2q_config`), { source: sourceOf(state, name) });
  try {
    return quantizerNames(model);
  } finally {
    model.dispose();
  }
}

function decodeTraining({ metadata, tensors }: TensorFile, name: string): TrainingState | null {
  const text = metadata['a2q_state'];
  if (text === undefined) return null;
  const { position, best, optimizer } = parseJson(stateSchema, text, name);
  const averages: StateDict = new Map();
  for (const [key, tensor] of tensors) {
    if (key.startsWith(OPTIMIZER_PREFIX)) averages.set(key.slice(OPTIMIZER_PREFIX.length), tensor);
  }
  return { position, best, optimizer: { ...optimizer, tensors: averages } };
}

function parseJson<T>(schema: z.ZodType<T>, text: string, name: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DataError('checkpoint', `${name}: its training state is damaged`, { cause });
  }
}

/** Gives a model the state of a checkpoint. @throws DataError naming the file if it is of another model */
export function restoreModel(model: Module, state: StateDict, name: string): void {
  adoptBiases(model, state);
  try {
    model.loadStateDict(state);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new DataError('checkpoint', `${name} does not fit the model: ${cause.message}`, { cause });
  }
}
