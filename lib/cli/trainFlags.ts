import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { METHOD_NAMES, type Method, TRAINING_METHODS } from '../quant/methods.js';
import { A2QError } from '../tensor/errors.js';
import { type NamedSetting, SETTINGS } from '../train/settings.js';
import { aboutChoices, aboutRecipes, aboutSetting } from './settingsText.js';
import { decimal, integer } from './usage.js';

/** Adds the options that describe a run to be trained: one for each setting, and what they are when left out. */
export function addTrainOptions(command: Command): Command {
  addSettings(command, SETTINGS, TRAINING_METHODS);
  return command.addHelpText('after', () => `\n${aboutChoices(TRAINING_METHODS)}\n\n${aboutRecipes()}`);
}

/** Settings that mean something to a model that is not trained, beside its data; what else to say of them. */
const QUANTIZE_SETTINGS: Readonly<Record<string, string | null>> = {
  module: 'a model of one’s own, which this file exports (docs/train.md) (default: the one that --model names)',
  model: 'what was trained, without --module (required)',
  ...{ method: null, weightBits: null, actBits: null, accumulatorBits: null, powerOfTwoScales: null },
  ...{ rounding: null, scaleSearch: null, tile: null },
  'start.initFrom': 'the model, trained in floats: a safetensors file or a run’s folder (required)',
  'start.calibrationSamples': 'training images that set activations, rounding and biases (default: 1000)',
  'start.biasCorrection': null,
  batchSize: 'images at a time (default: as in training)',
  seed: 'chooses the training images (default: 0)',
  limitBatches: 'cut the test to n batches (default: all)',
};

/** Adds the options that describe a run to be rounded after training. */
export function addQuantizeOptions(command: Command): Command {
  const methods = METHOD_NAMES.filter((name) => !TRAINING_METHODS.includes(name));
  const settings = SETTINGS.filter(({ path }) => path.startsWith('dataset.') || path in QUANTIZE_SETTINGS);
  addSettings(command, settings, methods, QUANTIZE_SETTINGS);
  return command.addHelpText('after', () => `\n${aboutChoices(methods)}`);
}

/** One option for each setting that has a meaning with one of some methods. */
function addSettings(
  command: Command,
  settings: readonly NamedSetting[],
  methods: readonly Method[],
  words: Readonly<Record<string, string | null>> = {},
): void {
  for (const each of settings) {
    const { when } = each;
    if (when?.setting === 'method' && !methods.some((method) => when.is.includes(method))) continue;
    for (const option of optionsOf(each, methods, words[each.path])) command.addOption(option);
  }
}

/** The settings that were given on the command line, by path. */
export function givenSettings(flags: object): Map<string, unknown> {
  const values = new Map(Object.entries(flags));
  const given = new Map<string, unknown>();
  for (const { path, flag } of SETTINGS) {
    const value = values.get(new Option(flag).attributeName());
    if (value !== undefined) given.set(path, value);
  }
  return given;
}

function optionsOf(setting: NamedSetting, methods: readonly Method[], about: string | null = null): Option[] {
  const option = new Option(setting.flag, about ?? aboutSetting(setting, methods));
  if (setting.path === 'method') return [option.choices(methods)];
  if (setting.schema instanceof z.ZodEnum) return [option.choices(setting.schema.options.map(String))];
  if (!(setting.schema instanceof z.ZodBoolean)) return [option.argParser(parserOf(setting))];
  return [option, new Option(setting.flag.replace('--', '--no-'), setting.not)];
}

/** Parses the argument of a flag, within the limits of its schema. */
function parserOf({ schema, parse }: NamedSetting): (text: string) => unknown {
  if (parse) return (text) => asArgument(() => parse(text));
  const { type, minimum = 0, maximum, exclusiveMinimum, exclusiveMaximum } = z.toJSONSchema(schema);
  if (type === 'integer') return integer(minimum, maximum);
  if (type !== 'number') return (text) => text;
  const below = exclusiveMaximum === undefined ? {} : { below: Number(exclusiveMaximum) };
  return decimal(Number(exclusiveMinimum ?? minimum), { above: exclusiveMinimum !== undefined, ...below });
}

/** @throws InvalidArgumentError in place of any of our own errors */
function asArgument<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof A2QError) throw new InvalidArgumentError(`${error.message.slice(error.op.length + 2)}.`);
    throw error;
  }
}
