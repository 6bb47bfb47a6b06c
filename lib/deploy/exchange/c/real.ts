import { sizeOf } from '../../../tensor/shape.js';
import { pixelTables } from '../../graph/decode.js';
import type { DecodeStep } from '../../graph/graph.js';
import type { Plan } from './plan.js';
import { constants, indented, loops, realLiteral } from './text.js';

const STATEMENTS: Readonly<Record<DecodeStep['op'], (number: string) => string>> = {
  multiply: (number) => `value = (float)(value * ${number});\n`,
  divide: (number) => `value = (float)(value / ${number});\n`,
  add: (number) => `value = (float)(value + ${number});\n`,
  maximum: (number) => `value = (float)(value > ${number} ? value : ${number});\n`,
};

/** `NAME_decode`: as `decodeOutput`, each step rounded to float32 and none fused with the next. */
export function decodeFunction(plan: Plan): string {
  const { graph, prefix } = plan;
  const [channels, ...rest] = plan.value(graph.output.value).shape;
  let tables = '';
  const steps = graph.output.decode.map(({ op, values }) => {
    if (values.length === 1) return STATEMENTS[op](realLiteral(values[0]));
    const name = plan.name('decode');
    tables += constants('double', name, values.map(realLiteral));
    return STATEMENTS[op](`${name}[c]`);
  });
  const body = `float value = (float)*output++;\n${steps.join('')}*real++ = value;\n`;
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
  const { shape, type } = plan.value(graph.input.name);
  const [channels, ...rest] = shape;
  const table = pixelTables(graph).flatMap((each) => [...each]);
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
