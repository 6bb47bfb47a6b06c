import { DATASET_NAMES, DATASETS } from '../data/node/datasets.js';
import type { DatasetEntry } from '../data/node/entry.js';
import type { Setting } from '../data/setting.js';
import type { ModelEntry } from '../nn/models/entry.js';
import { MODEL_NAMES, MODELS } from '../nn/models/index.js';
import { METHOD_NAMES, METHODS, type Method } from '../quant/methods.js';
import { type Recipe, recipeFor } from '../train/recipes.js';
import { flagName, flagOf, hasMeaning, type NamedSetting, SETTINGS, valueAt } from '../train/settings.js';

/** What `a2q train --help` and `docs/settings.md` say of settings, made from their schema and the recipes. */

/** Recipes, and for whom they are. */
interface RecipeRow {
  readonly who: string;
  readonly recipe: Recipe;
}

const WIDTH = 118;

/** What a setting does, when it has a meaning, and what it is if left out. */
export function aboutSetting(setting: NamedSetting, methods: readonly Method[] = METHOD_NAMES): string {
  const { about, when } = setting;
  const under = when ? `, ${conditionText(when, methods)}` : '';
  const usual = usualValue(setting);
  return `${about}${under} (${usual === null ? 'required' : `default: ${usual}`})`;
}

function conditionText({ setting, is: all }: NonNullable<Setting['when']>, methods: readonly Method[]): string {
  const flag = flagOf(setting) ?? setting;
  const is = setting === 'method' ? all.filter((name) => methods.some((method) => method === name)) : all;
  return is.length === 0 ? `without ${flag}` : `with ${flag} ${is.join(', ')}`;
}

/** The default as people would type it; null if there is none. */
function usualValue(setting: NamedSetting): string | null {
  const values = new Set(recipeRows().map(({ recipe }) => typed(setting, valueAt(recipe, setting.path))));
  values.delete(null);
  if (values.size > 1) return 'by model and data set, below';
  return [...values][0] ?? typed(setting, setting.default) ?? setting.absent ?? null;
}

function typed({ format }: Setting, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  // Zod has checked that the value is of the type that `format` takes.
  return format ? format(value as never) : String(value);
}

/** Which models go with which data, and what they are trained by unless told otherwise. */
function recipeRows(): RecipeRow[] {
  const rows = new Map<string, { models: Set<string>; datasets: Set<string>; starts: Set<string>; recipe: Recipe }>();
  for (const model of MODEL_NAMES) {
    for (const checkpoint of [false, true]) {
      for (const dataset of DATASET_NAMES.filter((name) => goTogether(MODELS[model], DATASETS[name]))) {
        const recipe = recipeFor(model, dataset, checkpoint);
        const key = JSON.stringify(recipe);
        const row = rows.get(key) ?? { models: new Set(), datasets: new Set(), starts: new Set(), recipe };
        rows.set(key, row);
        row.models.add(model);
        row.datasets.add(dataset);
        row.starts.add(checkpoint ? 'a checkpoint' : 'random weights');
      }
    }
  }
  return [...rows.values()].map(({ models, datasets, starts, recipe }) => ({
    who: `${[...models].join(', ')} on ${[...datasets].join(', ')} from ${[...starts].join(' or ')}`,
    recipe,
  }));
}

function goTogether(model: ModelEntry, data: DatasetEntry): boolean {
  return model.kind === data.kind && (model.channels ?? data.channels) === data.channels;
}

/** The recipes, as the flags that they stand for. */
export function aboutRecipes(): string {
  const varying = SETTINGS.filter((each) => usualValue(each)?.startsWith('by model'));
  const lines = recipeRows().flatMap(({ who, recipe }) => [
    `  ${who}:`,
    ...wrap(varying.flatMap((each) => flagText(each, valueAt(recipe, each.path))).join(' '), '      '),
  ]);
  return ['Defaults by model and data set (a model of one’s own is trained as cnn or espcn):', ...lines].join('\n');
}

function flagText(setting: NamedSetting, value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value === 'boolean') return [value ? setting.flag : setting.flag.replace('--', '--no-')];
  return [`${flagName(setting)} ${typed(setting, value)}`];
}

/** Settings as the flags that stand for them, in the order of the schema. @param settings of a run, or more */
export function settingsAsFlags(settings: object): string[] {
  const told = SETTINGS.filter((each) => hasMeaning(each, settings));
  return told.flatMap((each) => flagText(each, valueAt(settings, each.path)));
}

/** What there is to choose by name. */
export function aboutChoices(methods: readonly Method[] = METHOD_NAMES): string {
  const list = (title: string, entries: Readonly<Record<string, { readonly about: string }>>) => [
    `${title}:`,
    ...Object.entries(entries).flatMap(([name, { about }]) => wrap(`${name.padEnd(12)} ${about}`, '  ')),
  ];
  return [
    ...list('Models', MODELS),
    ...list('Data sets', DATASETS),
    ...list('Methods', Object.fromEntries(methods.map((name) => [name, METHODS[name]]))),
  ].join('\n');
}

/** The same as a page of documentation. */
export function settingsPage(): string {
  const items = SETTINGS.flatMap((each) => [
    ...wrap(`- \`${each.flag}\` ${aboutSetting(each)}`, '', '  '),
    ...(each.not ? wrap(`- \`${each.flag.replace('--', '--no-')}\` ${each.not}`, '', '  ') : []),
  ]);
  const head = [
    '# Settings of `a2q train` and `a2q quantize`',
    '',
    'Made from the schema by `npm run docs:settings`; do not edit.',
    '',
  ];
  return [...head, ...items, '', '```text', aboutChoices(), '', aboutRecipes(), '```', ''].join('\n');
}

/** Words as lines of at most {@link WIDTH} characters, each indented. */
export function wrapWords(words: readonly string[], indent: string): string[] {
  return wrap(words.join(' '), indent);
}

/** Lines of at most {@link WIDTH} characters, broken between words. */
function wrap(text: string, first: string, rest = first): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/ (?!\s)/)) {
    const longer = line.trim() === '' ? line + word : `${line} ${word}`;
    if (longer.length > WIDTH && line.trim() !== '') {
      lines.push(line);
      line = rest + word;
    } else line = longer;
  }
  return [...lines, line];
}
