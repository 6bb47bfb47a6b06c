import type { Module } from '../nn/module.js';
import { AccumulatorAwareQuantizer } from '../quant/accumulatorAware.js';
import { answerBounds } from '../quant/boundsAnswer.js';
import { quantLayers } from '../quant/layers.js';
import { METHODS } from '../quant/methods.js';
import type { RunConfig } from './config.js';
import { flagName, hasMeaning, SETTINGS, valueAt } from './settings.js';

/** What settings of a run have no effect, or not the one that is meant: a sentence each, for people. */

/** Notes before any image is read. @param given the paths of the settings that the user chose */
export function settingNotes(config: RunConfig, model: Module, given: ReadonlySet<string>): string[] {
  return [...withoutMeaning(config, given), ...withoutEffect(config, given), ...looseBounds(config, model)];
}

/** Notes that depend on how long the run is. @param batches of an epoch, before `--limit-batches` */
export function lengthNotes(config: RunConfig, batches: number): string[] {
  const { epochs, limitBatches = batches, collectStatsSteps, start, freezeNorms } = config;
  const steps = epochs * Math.min(batches, limitBatches);
  const notes: string[] = [];
  if (isQuantized(config) && start.calibrationSamples === 0 && collectStatsSteps >= steps) {
    notes.push(
      `--stats-steps ${collectStatsSteps} is as long as the whole run of ${steps} steps: activations are not ` +
        'quantized in it. Lower it, train longer, or set thresholds beforehand with --calibration-images 1000',
    );
  }
  if (freezeNorms !== undefined && freezeNorms >= epochs) {
    notes.push(`--freeze-norms ${freezeNorms} has no effect on ${epochs} epochs`);
  }
  if (config.limitBatches !== undefined && limitBatches >= batches) {
    notes.push(`--limit-batches ${limitBatches} has no effect: an epoch has ${batches} batches`);
  }
  if (config.checkpointEvery !== undefined && config.checkpointEvery > steps) {
    notes.push(`--checkpoint-every ${config.checkpointEvery} has no effect on ${steps} steps`);
  }
  const change = firstChange(config);
  if (change !== null && change >= epochs) {
    notes.push(`--schedule has no effect: it changes the rate after ${change} epochs, the run has ${epochs}`);
  }
  return notes;
}

/** What layers mean whose integers are all 0. @param layers their names, at least one */
export function zeroNote(layers: readonly string[], { method, start }: RunConfig): string {
  const advice = [
    ...(start.initFrom === undefined ? ['start from a float run with --init-from'] : []),
    ...(METHODS[method].needsAccumulatorBits ? ['raise --acc-bits'] : []),
  ];
  const whose = layers.length === 1 ? 'nothing passes it' : 'nothing passes them';
  return `all weights of ${layers.join(', ')} are 0: ${whose}; ${advice.join(', or ') || 'lower --lr'}`;
}

/** Epochs before a schedule of steps changes the rate; null for others, which begin at once or never do. */
function firstChange({ schedule }: RunConfig): number | null {
  if (schedule.kind === 'step') return schedule.stepSize;
  return schedule.kind === 'multistep' ? Math.min(...schedule.milestones) : null;
}

const isQuantized = ({ method }: RunConfig) => METHODS[method].weights !== null;

/** Settings that were given where they mean nothing. */
function withoutMeaning(config: RunConfig, given: ReadonlySet<string>): string[] {
  const idle = SETTINGS.filter((each) => given.has(each.path) && !hasMeaning(each, config));
  return idle.map((each) => {
    const on = SETTINGS.find(({ path }) => path === each.when?.setting);
    const value = valueAt(config, each.when?.setting ?? '');
    return `${flagName(each)} has no meaning with ${on ? flagName(on) : each.when?.setting} ${value}, and is left out`;
  });
}

/** Settings that only some methods look at, though all have them. */
function withoutEffect(config: RunConfig, given: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  const { method } = config;
  if (given.has('penaltyWeight') && !METHODS[method].needsAccumulatorBits) {
    notes.push(`--penalty has no effect with --method ${method}, which bounds no norms`);
  }
  if (given.has('collectStatsSteps') && !isQuantized(config)) {
    notes.push(`--stats-steps has no effect with --method ${method}, which quantizes nothing`);
  }
  if (given.has('start.biasCorrection') && config.start.biasCorrection && config.start.calibrationSamples === 0) {
    notes.push('--bias-correction has no effect without --calibration-images');
  }
  return notes;
}

/** A P so wide that no weights of M bits reach it. */
function looseBounds({ accumulatorBits }: RunConfig, model: Module): string[] {
  let needed = 0;
  for (const [, { weightQuant: quantizer, dotLength: length }] of quantLayers(model)) {
    if (!(quantizer instanceof AccumulatorAwareQuantizer)) continue;
    const { kind, bits: weightBits, input } = quantizer;
    needed = Math.max(needed, answerBounds({ length, weightBits, input }).kinds[kind].unconstrainedBits);
  }
  if (accumulatorBits === undefined || needed === 0 || accumulatorBits < needed) return [];
  return [
    `--acc-bits ${accumulatorBits} has no effect: weights and inputs of these bits never need more than ${needed}; ` +
      'a2q bounds tells what fits',
  ];
}
