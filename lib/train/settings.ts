import { z } from 'zod';
import { type Condition, type Setting, settingOf } from '../data/setting.js';
import { asInstance } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { parseSettings, type RunSettings, settingsSchema } from './config.js';
import { recipeFor } from './recipes.js';

/** A setting, and where its value stands in a configuration. */
export interface NamedSetting extends Setting {
  /** For example `optimizer.learningRate`. */
  readonly path: string;
  readonly schema: z.ZodType;
  /** Whether a configuration may leave it out. */
  readonly optional: boolean;
}

const join = (path: string, key: string) => (path === '' ? key : `${path}.${key}`);

/** Every setting of a run, in the order of the schema. */
export const SETTINGS: readonly NamedSetting[] = settingsIn(settingsSchema, '', false).filter(
  (each, i, all) => all.findIndex(({ path }) => path === each.path) === i,
);

function settingsIn(schema: z.ZodType, path: string, optional: boolean): NamedSetting[] {
  const about = settingOf(schema);
  if (schema instanceof z.ZodDiscriminatedUnion && !about?.parse)
    return about ? settingsOfUnion(schema, about, path) : [];
  if (about) return [{ ...about, path, schema, optional }];
  if (schema instanceof z.ZodExactOptional) return settingsIn(schema.unwrap() as z.ZodType, path, true);
  return schema instanceof z.ZodObject ? settingsInFields(schema, path) : [];
}

function settingsInFields(schema: z.ZodObject, path: string): NamedSetting[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => settingsIn(field as z.ZodType, join(path, key), false));
}

/** The choice among the members of a union, then what they hold; what not all of them hold depends on the choice. */
function settingsOfUnion(union: z.ZodDiscriminatedUnion, about: Setting, path: string): NamedSetting[] {
  const choice = `${path}.${union.def.discriminator}`;
  const members = (union.options as z.ZodObject[]).map((member) => ({
    name: (member.shape[union.def.discriminator] as z.ZodLiteral<string>).value,
    settings: settingsInFields(member, path),
  }));
  const schema = z.enum(members.map(({ name }) => name));
  return [
    { ...about, path: choice, schema, optional: false },
    ...members.flatMap(({ settings }) =>
      settings.map((each) => {
        const holders = members.filter((member) => member.settings.some(({ path }) => path === each.path));
        const when = { setting: choice, is: holders.map(({ name }) => name) };
        return holders.length === members.length ? each : { ...each, when };
      }),
    ),
  ];
}

/** The value at a path of nested objects; undefined if there is none. */
export function valueAt(from: unknown, path: string): unknown {
  return path.split('.').reduce((value: unknown, key) => (value as Record<string, unknown> | undefined)?.[key], from);
}

function setAt(into: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() as string;
  let at = into;
  for (const key of keys) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[last] = value;
}

function holds({ setting, is }: Condition, settings: unknown): boolean {
  const value = valueAt(settings, setting);
  return is.length === 0 ? value === undefined : is.includes(String(value));
}

/** Whether a setting has a meaning beside the others of a run. */
export function hasMeaning({ when }: Setting, settings: unknown): boolean {
  return when === undefined || holds(when, settings);
}

/** A flag without its argument, `--weight-bits`. */
export function flagName({ flag }: Setting): string {
  return flag.split(' ')[0];
}

/** The flag of the setting at a path of the configuration; undefined if none is for it. */
export function flagOf(path: string): string | undefined {
  const found = SETTINGS.find((each) => each.path === path);
  return found && flagName(found);
}

/** `--method qat`: a setting on which another depends, as it was chosen. */
function choiceOf({ setting }: Condition, settings: unknown): string {
  return `${flagOf(setting) ?? setting} ${valueAt(settings, setting)}`;
}

/**
 * Every setting of a run: given, of the run gone on with, else of the recipe for model and data, else the default.
 *
 * @param given values by path
 * @throws DataError if one is missing, or given where it has no meaning
 */
export function resolveSettings(given: ReadonlyMap<string, unknown>, saved: RunSettings | null): RunSettings {
  asInstance('settings', 'the settings', given, Map);
  const initFrom = given.get('start.initFrom');
  const base = saved ?? recipeFor(given.get('model'), given.get('dataset.name'), initFrom !== undefined);
  const settings: Record<string, unknown> = {};
  for (const each of SETTINGS) {
    const value = chosenValue(each, given.get(each.path), base, settings);
    if (value !== undefined) setAt(settings, each.path, value);
  }
  return parseSettings(settings, 'settings');
}

function chosenValue(each: NamedSetting, given: unknown, base: unknown, before: unknown): unknown {
  const { path, when, otherwise, optional, absent } = each;
  if (when && !holds(when, before)) {
    if (given === undefined || otherwise !== undefined) return otherwise;
    const meant = when.is.length > 0 ? ` (it is for ${when.is.join(', ')})` : '';
    throw new DataError('settings', `${flagName(each)} has no meaning for ${choiceOf(when, before)}${meant}`);
  }
  const value = given ?? valueAt(base, path) ?? each.default;
  if (value !== undefined || (optional && (!when || absent !== undefined))) return value;
  const why = when && when.is.length > 0 ? `; ${choiceOf(when, before)} needs it` : '';
  throw new DataError('settings', `${flagName(each)} is missing${why}`);
}

/** The settings that differ between two configurations, `optimizer.learningRate` and the like. */
export function differences(a: unknown, b: unknown, path = ''): string[] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b) ? [] : [path];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((key) => differences(valueAt(a, key), valueAt(b, key), join(path, key)));
}
