import type { RunConfig } from '../train/config.js';
import type { LogLine } from '../train/log.js';
import type { RunEvents } from '../train/node/trainRun.js';
import { formatMetric } from './output.js';
import type { Progress } from './progress.js';
import { imagesText, TimeEstimate } from './trainingPlan.js';

/** Shows a run on a progress bar that spans all its epochs. */
export function trainingEvents(progress: Progress, { epochs, valShare }: RunConfig): RunEvents {
  const estimate = new TimeEstimate();
  let steps = 0;
  let stage = '';
  let begun = false;
  let note = '';
  let done = 0;
  return {
    onStage(name, part, total) {
      if (name !== stage) {
        progress.say(name);
        begun = false;
      }
      if (total !== undefined && part !== undefined) {
        if (!begun) progress.begin(name, total);
        begun = true;
        progress.update(part);
      }
      stage = name;
    },
    onData(train, test) {
      progress.say(imagesText(train, test, valShare === undefined ? 'test' : 'validate'));
    },
    onStart(position, batchesPerEpoch) {
      done = position.step;
      steps = epochs * batchesPerEpoch;
      progress.begin('training', steps, done);
    },
    onStep({ epoch, step, loss, ms }) {
      note = `epoch ${epoch + 1}/${epochs}  loss ${loss.toPrecision(4)}  ${ms.toFixed(0)} ms/step`;
      done = step;
      progress.update(done, note);
      const left = estimate.after(ms, steps - done);
      if (left !== null) progress.say(left);
    },
    onEvaluate(part, total) {
      progress.update(done, `${note}  testing ${part}/${total}`);
    },
    onNote(text) {
      progress.say(`note: ${text}`);
    },
    onEpoch(line, isBest) {
      progress.say(epochLine(line, epochs, isBest));
    },
  };
}

/** `epoch 3/20  loss 0.01234  penalty 0.5  psnr 24.12 dB (best)  lr 9.9e-4  12.3 ms/step`. */
function epochLine(line: LogLine, epochs: number, isBest: boolean): string {
  const metric = `${line.metricName} ${formatMetric(line.metricName, line.testMetric)}${isBest ? ' (best)' : ''}`;
  const parts = [
    `epoch ${line.epoch + 1}/${epochs}`,
    `loss ${line.loss.toPrecision(4)}`,
    ...(line.penalty > 0 ? [`penalty ${line.penalty.toPrecision(3)}`] : []),
    metric,
    `lr ${line.learningRate.toPrecision(3)}`,
    `${line.msPerStep.toFixed(1)} ms/step`,
  ];
  return parts.join('  ');
}
