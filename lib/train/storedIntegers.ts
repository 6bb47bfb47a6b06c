import { z } from 'zod';
import { integerWeights } from '../deploy/integerWeights.js';
import { type Engine, engineOf } from '../kernels/engine.js';
import { asModule, type HostTensor, type Module } from '../nn/module.js';
import { AccumulatorAwareQuantizer } from '../quant/accumulatorAware.js';
import { BOUND_KINDS } from '../quant/bounds.js';
import { activationQuantizers, type QuantLayer, quantLayers } from '../quant/layers.js';
import { asList, asOptions } from '../tensor/argument.js';
import { DataError, QuantError } from '../tensor/errors.js';
import { littleEndian, type TensorFile } from '../tensor/safetensors.js';
import { sha256 } from '../tensor/sha256.js';
import { VERSION } from '../tensor/version.js';

/**
 * The integers of a run are computed once, where it trains, and stored in its checkpoints beside the weights they are
 * of: `integers/LAYER.weight` in the smallest type that holds them, `integers/LAYER.scale`, and in the metadata who
 * computed them and what each layer is. Evaluation, audit, certificate and export use these on whatever backend;
 * training does not read them.
 */
export const INTEGERS_PREFIX = 'integers/';
const KEY = 'a2q_integers';

const bits = z.int().min(1).max(32);
const layerSchema = z.strictObject({
  layer: z.string(),
  /** SHA-256 of the numbers they were computed from. */
  source: z.string(),
  weightBits: bits,
  inputBits: bits,
  inputSigned: z.boolean(),
  /** The module whose grid the inputs are on; null if it is not part of the model. */
  inputQuantizer: z.string().nullable(),
  bound: z.enum(BOUND_KINDS).nullable(),
  accumulatorBits: bits.nullable(),
});
const storedSchema = z.strictObject({
  by: z.strictObject({ version: z.string(), backend: z.string(), simd: z.string().nullable() }),
  layers: z.array(layerSchema),
});

/** What a layer is, as far as its integers are concerned. */
type LayerFacts = Omit<z.infer<typeof layerSchema>, 'source'>;

/** Who computed integers. */
export interface ComputedBy extends Engine {
  /** Of this package. */
  readonly version: string;
}

/** The integers of one layer, from a file. */
export type StoredLayer = z.infer<typeof layerSchema> & { readonly q: HostTensor; readonly scales: HostTensor };

/** The integers of a run. */
export interface StoredIntegers {
  readonly by: ComputedBy;
  readonly layers: readonly StoredLayer[];
}

/** The integers of a model as a checkpoint holds them; layers without (off their grid, not finite) are left out. */
export async function encodeIntegers(model: Module): Promise<TensorFile> {
  const tensors: TensorFile['tensors'] = new Map();
  const layers: z.infer<typeof layerSchema>[] = [];
  let by: ComputedBy | null = null;
  for (const [name, layer] of quantLayers(model)) {
    const computed = await integersIfAny(name, layer);
    if (computed === null) continue;
    by ??= { version: VERSION, ...engineOf(layer.weight.device) };
    const { q, scales } = computed;
    tensors.set(`${INTEGERS_PREFIX}${name}.weight`, { shape: layer.weight.shape, data: q, smallest: true });
    tensors.set(`${INTEGERS_PREFIX}${name}.scale`, { shape: [scales.length], data: Float32Array.from(scales) });
    layers.push({ ...factsOf(model, name, layer), source: await sourceHash(layer) });
  }
  return { tensors, metadata: by === null ? {} : { [KEY]: JSON.stringify({ by, layers }) } };
}

/** The layers whose integers are all 0, which let nothing pass. @param file of `encodeIntegers` */
export function zeroLayers({ tensors }: TensorFile): string[] {
  return [...tensors]
    .filter(([key, { data }]) => key.endsWith('.weight') && data.every((value) => value === 0))
    .map(([key]) => key.slice(INTEGERS_PREFIX.length, -'.weight'.length));
}

async function integersIfAny(name: string, layer: QuantLayer) {
  try {
    return await integerWeights(name, layer);
  } catch (error) {
    if (error instanceof QuantError) return null;
    throw error;
  }
}

function factsOf(model: Module, name: string, layer: QuantLayer): LayerFacts {
  const { weightQuant, input } = layer;
  const claim = weightQuant instanceof AccumulatorAwareQuantizer ? weightQuant : null;
  const source = [...activationQuantizers(model)].find(([, quantizer]) => quantizer === input);
  return {
    layer: name,
    weightBits: weightQuant.bits,
    inputBits: input.bits,
    inputSigned: input.signed,
    inputQuantizer: source?.[0] ?? null,
    bound: claim?.kind ?? null,
    accumulatorBits: claim?.accumulatorBits ?? null,
  };
}

/** SHA-256 of all that the integers of a layer depend on. */
async function sourceHash(layer: QuantLayer): Promise<string> {
  const parts = [...(await layer.stateDict())]
    .filter(([key]) => key === 'weight' || key.startsWith('weight_quant.'))
    .map(([, { data }]) => littleEndian(data));
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return sha256(bytes);
}

/** The integers that a file holds; null if it was written without. @throws DataError naming what is damaged */
export function decodeIntegers({ tensors, metadata }: TensorFile, name: string): StoredIntegers | null {
  const text = metadata[KEY];
  if (text === undefined) return null;
  const fail = (problem: string, cause?: unknown): never => {
    throw new DataError('checkpoint', `${name}: ${problem}`, { cause });
  };
  let stored: z.infer<typeof storedSchema>;
  try {
    stored = storedSchema.parse(JSON.parse(text));
  } catch (cause) {
    return fail(`what it says of its integers (${KEY}) is damaged`, cause);
  }
  const layers = stored.layers.map((facts) => {
    const part = (which: string) =>
      tensors.get(`${INTEGERS_PREFIX}${facts.layer}.${which}`) ?? fail(`the integers of ${facts.layer} are missing`);
    return { ...facts, q: part('weight'), scales: part('scale') };
  });
  return { by: stored.by, layers };
}

/**
 * Makes the layers of a model compute with stored integers.
 *
 * @param name of the file, for errors
 * @returns the layers without any, which go on computing their own
 * @throws DataError if integers are not of the weights that lie beside them, or of another layer
 */
export async function installIntegers(model: Module, stored: StoredIntegers, name: string): Promise<string[]> {
  const fail = (problem: string, cause?: unknown) => new DataError('checkpoint', `${name}: ${problem}`, { cause });
  asList('checkpoint', 'layers', asOptions('checkpoint', stored, 'the integers').layers);
  const layers = new Map(quantLayers(asModule('checkpoint', model)));
  for (const { q, scales, source, ...facts } of stored.layers) {
    const layer = layers.get(facts.layer);
    if (layer === undefined) throw fail(`holds integers of ${facts.layer}, which the model has not`);
    const own = factsOf(model, facts.layer, layer);
    const differs = (Object.keys(own) as (keyof LayerFacts)[]).find((key) => own[key] !== facts[key]);
    if (differs !== undefined) {
      throw fail(`${facts.layer} was stored with ${differs} ${facts[differs]}; the model has ${own[differs]}`);
    }
    if (source !== (await sourceHash(layer))) {
      throw fail(`the integers of ${facts.layer} are not of its weights, which were changed after they were stored`);
    }
    try {
      layer.freeze(q.data, scales.data);
    } catch (cause) {
      throw fail(
        `the integers of ${facts.layer} do not fit it: ${cause instanceof Error ? cause.message : cause}`,
        cause,
      );
    }
    layers.delete(facts.layer);
  }
  return [...layers.keys()];
}
