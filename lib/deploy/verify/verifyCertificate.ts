import { type CheckpointFacts, isRecord, Refused, readFacts } from './checkpoint.js';
import { compare } from './compare.js';
import { certifiedLayer, type TakenOnTrust } from './layer.js';
import { sha256 } from './sha256.js';

/** What every certificate states. */
export const STATEMENT =
  'With integer weights of this hash and any inputs of this format, every partial sum of a channel, in every order, ' +
  'lies within min … max; P bits hold that where proved is true. Biases are added after the accumulator.';

/** The kind of file that is verified here. */
export const FORMAT = 'a2q-certificate';
export const FORMAT_VERSION = 2;

/** Differences told; more are counted. */
const MOST_TOLD = 20;

/**
 * Holds a certificate to the checkpoint it is about: all it says is computed anew from the integers in the file,
 * exactly, by code of its own, and must be written as expected to the byte. Three things the files do not decide: how
 * inputs are known, what was seen in data, and who audited; a checksum keeps these as they were written.
 *
 * @param certificate the text of the file @param checkpoint the bytes of the file it names
 * @returns every difference, by its path in the certificate; none if it is verified
 */
export async function verifyCertificate(certificate: string, checkpoint: Uint8Array): Promise<string[]> {
  try {
    const given = parseCertificate(certificate);
    const expected = await certified(given, checkpoint);
    const { sha256: own, ...rest } = given;
    const found: string[] = [];
    compare('', rest, expected, found);
    const checksum = await textHash(JSON.stringify(expected));
    if (found.length === 0 && own !== checksum) found.push('its checksum is not that of its contents');
    const text = `${JSON.stringify({ ...expected, sha256: checksum }, null, 2)}\n`;
    if (found.length === 0 && certificate !== text) found.push('it is not written as a certificate is');
    const more = found.length - MOST_TOLD;
    return more > 0 ? [...found.slice(0, MOST_TOLD), `and ${more} more`] : found;
  } catch (error) {
    if (error instanceof Refused) return [error.message];
    throw error;
  }
}

type Certificate = Readonly<Record<string, unknown>>;

function parseCertificate(text: string): Certificate {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Refused('the certificate is not JSON');
  }
  if (isRecord(given) && given['format'] === FORMAT && given['version'] === FORMAT_VERSION) return given;
  throw new Refused(`the certificate is not of format ${FORMAT}, version ${FORMAT_VERSION}`);
}

/** What a certificate of this checkpoint has to say. */
async function certified(given: Certificate, checkpoint: Uint8Array) {
  const facts = readFacts(checkpoint);
  const trusted = Array.isArray(given['layers']) ? given['layers'] : [];
  const layers = [];
  for (const [i, each] of facts.layers.entries()) layers.push(await certifiedLayer(each, onTrust(trusted[i])));
  const problems = texts(given['problems']);
  const file = isRecord(given['checkpoint']) ? word(given['checkpoint']['file']) : null;
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    statement: STATEMENT,
    checkpoint: { file, sha256: await sha256(checkpoint) },
    config: await configOf(facts),
    integers: facts.by,
    auditedBy: auditor(given['auditedBy']),
    ...summary(layers, problems),
    layers,
  };
}

function onTrust(layer: unknown): TakenOnTrust {
  const { inputChecked, inputSeen, problems } = isRecord(layer) ? layer : {};
  const { low, high, samples } = isRecord(inputSeen) ? inputSeen : {};
  return {
    inputChecked: word(inputChecked),
    inputSeen: isRecord(inputSeen) ? { low: Number(low), high: Number(high), samples: Number(samples) } : null,
    problems: texts(problems),
  };
}

function auditor(value: unknown) {
  const { version, backend, simd } = isRecord(value) ? value : {};
  return { version: word(version), backend: word(backend), simd: simd === null ? null : word(simd) };
}

/** A value as a string, even an object that claims to know how. */
function word(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(word) : [];
}

async function configOf({ config, configText }: CheckpointFacts) {
  const { model, module, dataset, method, weightBits = null, actBits = null, accumulatorBits = null } = config;
  return {
    sha256: await textHash(configText),
    model: model ?? module ?? 'model',
    dataset: isRecord(dataset) ? dataset['name'] : null,
    ...{ method, weightBits, actBits, accumulatorBits },
  };
}

type CertifiedLayer = Awaited<ReturnType<typeof certifiedLayer>>;

function summary(layers: readonly CertifiedLayer[], problems: readonly string[]) {
  const constrained = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  const counted = constrained.length > 0 ? constrained : layers;
  const total = counted.reduce((sum, { channels, length }) => sum + channels * length, 0);
  const zeros = counted.reduce((sum, { sparsity, channels, length }) => sum + sparsity * (channels * length), 0);
  const most = constrained.reduce((bits, { safeBits }) => Math.max(bits, safeBits), 1);
  return {
    proved: constrained.length > 0 && constrained.every(({ proved }) => proved === true) && problems.length === 0,
    safeBits: constrained.length > 0 ? most : null,
    sparsity: zeros / total,
    problems,
  };
}

function textHash(text: string): Promise<string> {
  return sha256(new TextEncoder().encode(text));
}
