import { roundHalfEven } from '../../../kernels/reference/elementwise.js';
import { sizeOf } from '../../../tensor/shape.js';
import type { DecodeStep } from '../../graph/graph.js';
import type { Plan } from './plan.js';
import { constants, floatLiteral, indented, loops } from './text.js';

/** Between real numbers and integers: the ends of the network, in float32. */

const STATEMENTS: Readonly<Record<DecodeStep['op'], (number: string) => string>> = {
  multiply: (number) => `value = value * ${number};\n`,
  divide: (number) => `value = value / ${number};\n`,
  add: (number) => `value = value + ${number};\n`,
  maximum: (number) => `value = value > ${number} ? value : ${number};\n`,
};

/** `NAME_decode`. Each step is rounded to float32: volatile keeps compilers from fusing two into one. */
export function decodeFunction(plan: Plan): string {
  const { graph, prefix } = plan;
  const [channels, ...rest] = plan.value(graph.output.value).shape;
  let tables = '';
  const steps = graph.output.decode.map(({ op, values }) => {
    if (values.length === 1) return STATEMENTS[op](floatLiteral(values[0]));
    const name = plan.name('decode');
    tables += constants('float', name, values.map(floatLiteral));
    return STATEMENTS[op](`${name}[c]`);
  });
  const body = `volatile float value = (float)*output++;\n${steps.join('')}*real++ = value;\n`;
  const heads = [
    ['c', channels],
    ['i', sizeOf(rest)],
  ] as const;
  return `${tables}${tables && '\n'}void ${prefix}_decode(const int32_t *output, float *real) {
${indented(loops(heads, body))}}
`;
}

/** `NAME_quantize_pixels`, by a table for each channel; nothing if it is not known what pixels the network takes. */
export function quantizeFunction(plan: Plan): string {
  const { graph, prefix } = plan;
  if (graph.task === null) return '';
  const { low, high, scale, name } = graph.input;
  const { mean, std } = graph.task.pixels;
  const { shape, type } = plan.value(name);
  const [channels, ...rest] = shape;
  const table = mean.flatMap((m, c) =>
    Array.from({ length: 256 }, (_, byte) => {
      const real = Math.fround((byte / 255 - m) / std[c]);
      return Math.min(high, Math.max(low, roundHalfEven(Math.fround(real / Math.fround(scale)))));
    }),
  );
  const body = `*input++ = ${prefix}_pixels[c * 256 + pixels[i * ${channels} + c]];\n`;
  const heads = [
    ['c', channels],
    ['i', sizeOf(rest)],
  ] as const;
  return `${constants(type, `${prefix}_pixels`, table)}
void ${prefix}_quantize_pixels(const uint8_t *pixels, ${prefix}_input_t *input) {
${indented(loops(heads, body))}}
`;
}
