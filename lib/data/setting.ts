import { z } from 'zod';

/**
 * A setting of a run: one entry in a schema, from which its command-line flag, its line of `--help`, its place and
 * check in configuration files, its part of the JSON Schema and its row in the documentation are made.
 */
export interface Setting {
  /** The flag as people type it: `--weight-bits <M>`. A boolean has no argument, and a `--no-` form as well. */
  readonly flag: string;
  /** What it sets, for people. */
  readonly about: string;
  /** The same of the `--no-` form. */
  readonly not?: string;
  /** Its value unless the user or a recipe says otherwise. */
  readonly default?: unknown;
  /** What leaving it out means, where it has no default: `all`, `never`. */
  readonly absent?: string;
  /** The value of another setting, one that comes before it, under which it has a meaning; always, if left out. */
  readonly when?: Condition;
  /** Its value where it has no meaning. Without one it is left out there, and refused if given. */
  readonly otherwise?: unknown;
  /** Makes the value of the flag's text, where JSON types do not tell how. */
  readonly parse?: (text: string) => unknown;
  /** The inverse of `parse`. */
  readonly format?: (value: never) => string;
}

/** That a setting has one of some values; none of them means that it is left out. */
export interface Condition {
  /** Its path in the configuration, for example `optimizer.type`. */
  readonly setting: string;
  readonly is: readonly string[];
}

const SETTINGS = z.registry<Setting>();

/** Makes a schema a setting. */
export function setting<T extends z.ZodType>(schema: T, about: Setting): T {
  // A default that depends on other settings would be a lie in a JSON Schema.
  const always = about.when === undefined && about.default !== undefined ? { default: about.default } : {};
  const described = schema.meta({ description: about.about, ...always });
  SETTINGS.add(described, about);
  return described;
}

/** What was said of a schema; undefined if it is no setting. */
export function settingOf(schema: z.ZodType): Setting | undefined {
  return SETTINGS.get(schema);
}
