import { encodePng } from '../../data/node/encodePng.js';
import type { Pixels } from '../../data/pixels.js';
import { formatMetric, percent } from '../output.js';
import { heading, table } from '../report/page.js';
import { escapeHtml } from '../report/svg.js';
import type { Answers, Labels, Picture } from './answers.js';

/** More classes than that make a matrix that nobody reads; the commonest mistakes are listed in its place. */
const MOST_CLASSES = 20;
const LISTED = 20;

/** What the network makes of test images, for people. @param hue colour of the matrix */
export function answerSection(answers: Answers, hue: string): string[] {
  if (answers.kind === 'images') return [heading('Pictures'), ...answers.pictures.map(pictureRow)];
  const few = answers.classes.length <= MOST_CLASSES;
  return [
    heading(few ? 'Which class is taken for which' : 'The commonest mistakes'),
    few ? confusionMatrix(answers, hue) : confusionList(answers),
    ...mistakes(answers),
  ];
}

function confusionMatrix({ classes, confusion, metric, samples }: Labels, hue: string): string {
  const rows = confusion.map((counts, label) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts.map((count) => {
      const share = total === 0 ? 0 : count / total;
      return `<td style="--share:${share.toFixed(4)}">${count === 0 ? '' : count}</td>`;
    });
    return `<tr><th scope="row">${cuttable(classes[label])}</th>${cells.join('')}</tr>`;
  });
  const right = formatMetric('accuracy', metric);
  const caption = `A row is what images show, a column what they are taken for; ${right} of ${samples} are told right.`;
  const matrix = table(['', ...classes.map(cuttable)], [rows.join('')], caption);
  return `<div class="confusion" style="--hue:${hue}">${matrix}</div>`;
}

/** A name that the style may cut off; whoever points at it sees all of it. */
function cuttable(name: string): string {
  return `<span title="${escapeHtml(name)}">${escapeHtml(name)}</span>`;
}

function confusionList({ classes, confusion }: Labels): string {
  const pairs = confusion
    .flatMap((counts, label) => counts.map((count, taken) => ({ label, taken, count })))
    .filter(({ label, taken, count }) => label !== taken && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, LISTED);
  const rows = pairs.map(({ label, taken, count }) => {
    const total = confusion[label].reduce((sum, each) => sum + each, 0);
    const cells = [escapeHtml(classes[taken]), count, percent(count / total)].map((text) => `<td>${text}</td>`);
    return `<tr><th scope="row">${escapeHtml(classes[label])}</th>${cells.join('')}</tr>`;
  });
  const caption = `The ${pairs.length} commonest of the mistakes; share: part of all images of the class.`;
  return table(['class', 'taken for', 'images', 'share'], [rows.join('')], caption);
}

function mistakes({ classes, mistakes }: Labels): string[] {
  if (mistakes.length === 0) return [];
  const tiles = mistakes.map(({ image, label, taken, confidence }) => {
    const text = `${classes[label]}, taken for ${classes[taken]} (${percent(confidence, 0)})`;
    return picture(image, text, text);
  });
  return [heading('Mistakes it was surest of'), `<div class="tiles small">${tiles.join('')}</div>`];
}

function pictureRow({ input, bicubic, made, target, psnr, bicubicPsnr }: Picture): string {
  const size = ({ width, height }: Pixels) => `${width}×${height}`;
  const tiles = [
    picture(input, `input, ${size(input)}`, 'input'),
    picture(bicubic, `bicubic, ${bicubicPsnr.toFixed(2)} dB`, 'up-scaled without a network'),
    picture(made, `network, ${psnr.toFixed(2)} dB`, 'up-scaled by the network'),
    picture(target, `original, ${size(target)}`, 'original'),
  ];
  return `<div class="tiles">${tiles.join('')}</div>`;
}

function picture(image: Pixels, caption: string, alt: string): string {
  const data = Buffer.from(encodePng(image)).toString('base64');
  const { width, height } = image;
  return (
    `<figure><img alt="${escapeHtml(alt)}" width="${width}" height="${height}" src="data:image/png;base64,${data}">` +
    `<figcaption>${escapeHtml(caption)}</figcaption></figure>`
  );
}
