import { checkBounds, checkProjection } from './arithmetic.js';
import type { Json } from './golden.js';
import { checkOps } from './operations.js';
import { checkOptimizers } from './optimizers.js';
import { checkActivations, checkLayers, checkWeightQuantizers } from './quantizers.js';
import type { Report } from './report.js';
import { checkTraining } from './training.js';

/** What to do with a golden file, by the `file` it says it is. */
const CHECKS: Readonly<Record<string, (file: Json, report: Report) => Promise<void>>> = {
  bounds: checkBounds,
  l1proj: checkProjection,
  weight_quant: checkWeightQuantizers,
  act_quant: checkActivations,
  layers: checkLayers,
  ops: checkOps,
  optim: checkOptimizers,
  train: checkTraining,
};

/** Runs the cases of one golden file; a file of an unknown kind is skipped, and counted so. */
export async function checkGolden(name: string, json: Json, report: Report): Promise<void> {
  const kind = typeof json['file'] === 'string' ? json['file'] : name.replace(/\.json$/, '');
  const check = CHECKS[kind];
  if (check) await check(json, report);
  else report.skip(name, `no check for golden files of kind ${kind}`);
}
