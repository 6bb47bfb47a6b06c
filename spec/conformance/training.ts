import { add, mul, reshape } from '../../lib/autograd/ops.js';
import { backward, noGrad } from '../../lib/autograd/tape.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { crossEntropy } from '../../lib/nn/loss.js';
import { Module } from '../../lib/nn/module.js';
import { decayGroups } from '../../lib/nn/optim/groups.js';
import type { Parameter } from '../../lib/nn/parameter.js';
import type { ActivationQuantizer } from '../../lib/quant/activation.js';
import type { QuantLayer } from '../../lib/quant/layers.js';
import { accumulatorPenalty } from '../../lib/quant/penalty.js';
import { dispose, scope } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { activationFor, learned, quantLayerFor } from './build.js';
import { type Json, list, number, numbers, object, tensorOf } from './golden.js';
import { optimizerFor } from './optimizers.js';
import { type Case, label, type Report, TRAINING_TOLERANCE } from './report.js';

/** The network of train.json. */
class GoldenNetwork extends Module {
  readonly act0: ActivationQuantizer;
  readonly conv1: QuantLayer;
  readonly bn1: BatchNorm2d;
  readonly act1: ActivationQuantizer;
  readonly conv2: QuantLayer;
  readonly bn2: BatchNorm2d;
  readonly act2: ActivationQuantizer;
  readonly fc: QuantLayer;

  constructor(network: Json, run: Json) {
    super();
    const init = object(run, 'init');
    const widths = numbers(network, 'P');
    const bits = number(network, 'N');
    const layer = (name: string, position: number, input: ActivationQuantizer) =>
      quantLayerFor(
        {
          layer: network[name],
          kind: run['kind'],
          M: network['M'],
          P: widths[position],
          weight: init[`${name}.weight`],
          bias: init[`${name}.bias`],
        },
        input,
      );
    this.act0 = activationFor('int', number(network, 'N0'), 'log_fp');
    this.conv1 = layer('conv1', 0, this.act0);
    this.bn1 = new BatchNorm2d(this.conv1.weight.shape[0]);
    this.act1 = activationFor('relu_uint', bits, 'log_fp');
    this.conv2 = layer('conv2', 1, this.act1);
    this.bn2 = new BatchNorm2d(this.conv2.weight.shape[0]);
    this.act2 = activationFor('relu_uint', bits, 'log_fp');
    this.fc = layer('fc', 2, this.act2);
  }

  override forward(x: Tensor): Tensor {
    const a = this.act1.forward(this.bn1.forward(this.conv1.forward(this.act0.forward(x))));
    const b = this.act2.forward(this.bn2.forward(this.conv2.forward(a)));
    return this.fc.forward(reshape(b, [b.shape[0], -1]));
  }

  /** Parameters by the names of the golden file, which has no `weight_quant` level. */
  goldenParameters(): Map<string, Parameter> {
    return new Map([...this.namedParameters()].map(([name, p]) => [name.replace('.weight_quant.', '.'), p]));
  }
}

/** train.json: whole training runs, step by step. */
export async function checkTraining(file: Json, report: Report): Promise<void> {
  const network = object(file, 'network');
  const batches = list(file, 'batches');
  for (const [i, run] of list(file, 'runs').entries()) {
    await report.run(label('train', 'runs', i, run), (check) =>
      checkRun(check, network, run, batches, number(file, 'steps')),
    );
  }
}

async function checkRun(check: Case, network: Json, run: Json, batches: Json[], steps: number): Promise<void> {
  const model = new GoldenNetwork(network, run);
  const parameters = model.goldenParameters();
  for (const act of [model.act0, model.act1, model.act2]) await learned(act, 0);
  for (const [name, parameter] of parameters) parameter.assign(tensorOf(object(run, 'init'), name));
  const { type, args } = object(run, 'optimizer') as { type: string; args: Json };
  const groups = decayGroups(parameters, (name) => name.endsWith('.weight'));
  const optimizer = optimizerFor(type, args, groups);
  for (let step = 0; step < steps; step++) {
    const batch = batches[step % batches.length];
    optimizer.zeroGrad();
    const results = scope(() => {
      const task = crossEntropy(model.forward(tensorOf(batch, 'x')), numbers(batch, 'target'));
      const penalty = accumulatorPenalty(model);
      const loss = penalty ? add(task, mul(penalty, number(run, 'lambda'))) : task;
      backward(loss);
      return { task, penalty, loss };
    });
    const at = (key: string) => numbers(run, key)[step];
    await check.close(`task loss at step ${step}`, results.task, at('task_loss'), TRAINING_TOLERANCE);
    await check.close(`loss at step ${step}`, results.loss, at('loss'), TRAINING_TOLERANCE);
    await check.close(`penalty at step ${step}`, results.penalty ?? 0, at('penalty'), TRAINING_TOLERANCE);
    dispose(results);
    if (step === 0) {
      for (const [name, want] of Object.entries(object(run, 'first_step_grads'))) {
        const parameter = parameters.get(name) as Parameter;
        await check.close(`gradient of ${name}`, parameter.grad ?? new Float32Array(parameter.size), want);
      }
    }
    optimizer.step();
  }
  for (const [name, want] of Object.entries(object(run, 'final'))) {
    await check.close(`final ${name}`, parameters.get(name) as Parameter, want, TRAINING_TOLERANCE);
  }
  const buffers = new Map(model.namedBuffers());
  for (const [name, want] of Object.entries(object(run, 'final_buffers'))) {
    await check.close(`final ${name}`, buffers.get(name) as Tensor, want, TRAINING_TOLERANCE);
  }
  model.eval();
  const logits = noGrad(() => model.forward(tensorOf(batches[0], 'x')));
  await check.close('final logits', logits, run['final_eval_logits_batch0'], TRAINING_TOLERANCE);
}
