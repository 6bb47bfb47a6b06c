import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { A2QError } from '../tensor/errors.js';
import { type NamedSetting, SETTINGS } from '../train/settings.js';
import { aboutChoices, aboutRecipes, aboutSetting } from './settingsText.js';
import { decimal, integer } from './usage.js';

/** Adds the options that describe a run: one for each setting, and what they are when left out. */
export function addTrainOptions(command: Command): Command {
  for (const each of SETTINGS) for (const option of optionsOf(each)) command.addOption(option);
  return command.addHelpText('after', () => `\n${aboutChoices()}\n\n${aboutRecipes()}`);
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

function optionsOf(setting: NamedSetting): Option[] {
  const option = new Option(setting.flag, aboutSetting(setting));
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
