import * as ops from '../../lib/autograd/ops.js';
import { backward } from '../../lib/autograd/tape.js';
import type { Parameter } from '../../lib/nn/parameter.js';
import { A2QQuantizer } from '../../lib/quant/accumulatorAware.js';
import { minAccumulatorBits } from '../../lib/quant/bounds.js';
import { integers } from '../../lib/quant/quantTensor.js';
import { LearnedWeightQuantizer } from '../../lib/quant/weightQuantizer.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { boundKind } from './arithmetic.js';
import { activationFor, learned, quantLayerFor } from './build.js';
import { flag, type Json, list, number, object, tensorOf, text } from './golden.js';
import { type Case, label, type Report } from './report.js';

/** weight_quant.json: every quantizer in its initial, a perturbed or an edge state. */
export async function checkWeightQuantizers(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'cases').entries()) {
    for (const state of list(entry, 'states')) {
      const name = `${label('weight_quant', 'cases', i, entry)}/${text(state, 'state')}`;
      await report.run(name, (check) => checkWeightState(check, entry, state));
    }
  }
}

async function checkWeightState(check: Case, entry: Json, state: Json): Promise<void> {
  const layer = quantLayerFor(entry);
  const quantizer = layer.weightQuant;
  const learnedD = quantizer instanceof A2QQuantizer || quantizer instanceof LearnedWeightQuantizer;
  if (text(state, 'state') === 'init') {
    if (learnedD) await check.close('initial d', quantizer.d, state['d']);
    if (quantizer instanceof A2QQuantizer) await check.close('initial t', quantizer.t, state['t']);
  }
  if (learnedD) quantizer.d.assign(tensorOf(state, 'd'));
  if (quantizer instanceof A2QQuantizer) {
    quantizer.t.assign(tensorOf(state, 't'));
    if (state['s'] !== undefined) await check.close('s', ops.reshape(quantizer.scale(), [-1]), state['s']);
    if (state['g'] !== undefined) await check.close('g', norms(quantizer), state['g']);
    if (state['T'] !== undefined) check.relative('T', quantizer.budget, number(state, 'T'), 1e-6);
    if (state['pre_scale'] !== undefined) {
      await check.close('pre_scale', preScales(quantizer, layer.weight), state['pre_scale']);
    }
  }
  if (state['q'] === undefined) return;
  const quantized = layer.quantWeight();
  const q = integers(quantized);
  await check.exact('q', q, state['q']);
  await check.close('w_deq', quantized.value, state['w_deq']);
  await check.close('s', ops.reshape(quantized.scale, [-1]), state['s']);
  backward(quantized.value, tensorOf(entry, 'grad_out'));
  await checkGrads(check, state, { grad_w: layer.weight });
  if (learnedD) await checkGrads(check, state, { grad_d: quantizer.d });
  if (!(quantizer instanceof A2QQuantizer)) return;
  await checkGrads(check, state, { grad_t: quantizer.t });
  layer.zeroGrad();
  const penalty = quantizer.penalty();
  await check.close('penalty', penalty, state['penalty']);
  backward(penalty);
  await checkGrads(check, state, { penalty_grad_d: quantizer.d, penalty_grad_t: quantizer.t });
  const l1 = ops.sum(ops.abs(q), { axes: q.shape.map((_, axis) => axis).slice(1) });
  await check.exact('q_l1', l1, state['q_l1']);
  const largest = Math.max(...(await l1.data()));
  const input = { bits: number(entry, 'N'), signed: flag(entry, 'signed') };
  await check.exact('acc_bits', minAccumulatorBits(boundKind(entry), largest, input), state['acc_bits']);
}

/** g = max(2^t, 1e-10) of each channel, in elementary operations. */
function norms({ t }: A2QQuantizer): Tensor {
  return ops.maximum(ops.exp2(t), 1e-10);
}

/** `p = max(‖v‖₁ / min(g/s, T), 1e-10)` of each channel: what v is divided by before it is truncated. */
function preScales(quantizer: A2QQuantizer, w: Tensor): Tensor {
  const rows = ops.reshape(w, [w.shape[0], -1]);
  const v = quantizer.kind === 'a2q+' ? ops.sub(rows, ops.mean(rows, { axes: 1, keepDims: true })) : rows;
  const s = ops.maximum(ops.exp2(quantizer.d), 1e-10);
  const r = ops.minimum(ops.div(norms(quantizer), s), quantizer.budget);
  return ops.maximum(ops.div(ops.sum(ops.abs(v), { axes: 1 }), r), 1e-10);
}

/** Compares gradients by their golden names; a missing gradient counts as zeros. */
async function checkGrads(check: Case, want: Json, parameters: Record<string, Parameter>): Promise<void> {
  for (const [name, parameter] of Object.entries(parameters)) {
    if (want[name] === undefined) continue;
    await check.close(name, parameter.grad ?? new Float32Array(parameter.size), want[name]);
  }
}

const ROUNDINGS = {
  round_half_even: ops.roundHalfEven,
  round_to_zero: ops.trunc,
  floor: ops.floor,
  ceil: ops.ceil,
} as const;

/** act_quant.json: roundings, learned scales, the statistics phase. */
export async function checkActivations(file: Json, report: Report): Promise<void> {
  if (file['rounding'] !== undefined) {
    const rounding = object(file, 'rounding');
    for (const [name, round] of Object.entries(ROUNDINGS)) {
      await report.run(`act_quant/rounding/${name}`, async (check) => {
        const x = tensorOf(rounding, 'x').withGrad();
        const y = round(x);
        await check.exact('y', y, rounding[name]);
        backward(ops.sum(y));
        await check.exact('gradient', x.grad ?? [], new Array<number>(x.size).fill(1));
      });
    }
  }
  for (const [i, entry] of list(file, 'cases').entries()) {
    await report.run(label('act_quant', 'cases', i, entry), async (check) => {
      const quantizer = activationFor(text(entry, 'kind'), number(entry, 'N'), text(entry, 'restrict'));
      await learned(quantizer, number(entry, 'value'));
      await checkActivationCall(check, quantizer, entry);
      await check.close('grad_value', quantizer.value.grad ?? [0], entry['grad_value']);
    });
  }
  for (const [i, entry] of list(file, 'stats_cases').entries()) {
    await report.run(label('act_quant', 'stats_cases', i, entry), async (check) => {
      const quantizer = activationFor(text(entry, 'kind'), number(entry, 'N'), text(entry, 'restrict'), {
        steps: number(entry, 'collect_stats_steps'),
        percentile: number(entry, 'percentile'),
        momentum: number(entry, 'momentum'),
      });
      for (const call of list(entry, 'calls')) {
        quantizer.train(text(call, 'mode') === 'train');
        quantizer.zeroGrad();
        await checkActivationCall(check, quantizer, call);
        if (call['grad_value'] !== undefined) {
          await check.close('grad_value', quantizer.value.grad ?? [0], call['grad_value']);
        }
        if (call['value'] !== undefined) await check.close('value', quantizer.value, call['value']);
        if (call['running_threshold'] !== undefined) {
          await check.close('running_threshold', quantizer.runningThreshold, call['running_threshold']);
        }
      }
    });
  }
}

async function checkActivationCall(
  check: Case,
  quantizer: ReturnType<typeof activationFor>,
  entry: Json,
): Promise<void> {
  const x = tensorOf(entry, 'x').withGrad();
  const y = quantizer.forward(x);
  await check.close('y', y, entry['y']);
  if (entry['scale'] !== undefined && (!quantizer.training || quantizer.learned)) {
    await check.close('scale', quantizer.scale(), entry['scale']);
    if (entry['q'] !== undefined) await check.exact('q', ops.roundHalfEven(ops.div(y, quantizer.scale())), entry['q']);
  }
  if (entry['grad_out'] === undefined) return;
  backward(y, tensorOf(entry, 'grad_out'));
  await check.close('grad_x', x.grad ?? new Float32Array(x.size), entry['grad_x']);
}

/** layers.json: a whole layer, input quantizer to bias, forward and backward. */
export async function checkLayers(file: Json, report: Report): Promise<void> {
  for (const [i, entry] of list(file, 'cases').entries()) {
    await report.run(label('layers', 'cases', i, entry), async (check) => {
      const kind = flag(entry, 'signed') ? 'int' : 'uint';
      const input = activationFor(kind, number(entry, 'N'), text(entry, 'act_restrict'));
      await learned(input, number(entry, 'act_value'));
      const layer = quantLayerFor(entry, input);
      const quantizer = layer.weightQuant;
      const accumulatorAware = quantizer instanceof A2QQuantizer;
      const learnedD = accumulatorAware || quantizer instanceof LearnedWeightQuantizer;
      if (learnedD) quantizer.d.assign(tensorOf(entry, 'd'));
      if (accumulatorAware) quantizer.t.assign(tensorOf(entry, 't'));
      const x = tensorOf(entry, 'x').withGrad();
      const xq = input.forward(x);
      const y = layer.forward(xq);
      await check.exact('x_q', ops.roundHalfEven(ops.div(xq, input.scale())), entry['x_q']);
      const wq = integers(layer.quantWeight());
      await check.exact('w_q', wq, entry['w_q']);
      await check.close('y', y, entry['y']);
      backward(y, tensorOf(entry, 'grad_out'));
      await check.close('grad_x', x.grad ?? [], entry['grad_x']);
      await checkGrads(check, entry, { grad_weight: layer.weight, grad_act_value: input.value });
      if (layer.bias) await checkGrads(check, entry, { grad_bias: layer.bias });
      if (learnedD) await checkGrads(check, entry, { grad_d: quantizer.d });
      if (accumulatorAware) await checkGrads(check, entry, { grad_t: quantizer.t });
      if (entry['max_abs_accumulator'] !== undefined) {
        const sums = layer.multiply(ops.roundHalfEven(ops.div(xq, input.scale())), wq);
        await check.exact('max_abs_accumulator', ops.max(ops.abs(sums)), entry['max_abs_accumulator']);
      }
    });
  }
}
