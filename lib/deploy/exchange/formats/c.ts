import type { ExportFormat } from '../format.js';
import type { IntegerLayer } from '../integerLayers.js';

/** A header of constant arrays: weights as integers row-major, scales as floats, P as a macro. */
const c: ExportFormat = {
  about: 'a C header: constant arrays of integers and scales, accumulator widths as macros',
  encode: (layers, name) => {
    const guard = `${identifier(name).toUpperCase()}_H`;
    const parts = ['#include <stdint.h>', ...layers.map(layerText)];
    return `#ifndef ${guard}\n#define ${guard}\n\n${parts.join('\n\n')}\n\n#endif\n`;
  },
};

export default c;

function layerText(layer: IntegerLayer): string {
  const { weights, shape, weightBits, weightScales, input, inputScale, accumulatorBits, bias } = layer;
  const id = identifier(layer.name);
  const macro = (what: string, value: number) => `#define ${id.toUpperCase()}_${what} ${value}`;
  const array = (type: string, what: string, values: readonly string[]) =>
    `static const ${type} ${id}_${what}[${values.length}] = {\n${lines(values)}\n};`;
  const inputs = `${input.signed ? 's' : 'u'}${input.bits}`;
  return [
    `/* ${layer.name}: [${shape.join(', ')}], ${weightBits}-bit weights, ${inputs} inputs */`,
    ...(accumulatorBits === null ? [] : [macro('ACCUMULATOR_BITS', accumulatorBits)]),
    `static const float ${id}_input_scale = ${float(inputScale)};`,
    array(integerType(weightBits), 'weights', Array.from(weights, String)),
    array('float', 'weight_scales', weightScales.map(float)),
    ...(bias ? [array('float', 'bias', bias.map(float))] : []),
  ].join('\n');
}

/** The narrowest type that holds so many bits. */
function integerType(bits: number): string {
  if (bits <= 8) return 'int8_t';
  return bits <= 16 ? 'int16_t' : 'int32_t';
}

function identifier(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9]+/g, '_');
  return /^[0-9]/.test(safe) ? `_${safe}` : safe;
}

/** The shortest text that reads back as the same float32. */
function float(value: number): string {
  const text = Number(value.toPrecision(9)).toString();
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

function lines(values: readonly string[]): string {
  const rows: string[] = [];
  for (let at = 0; at < values.length; at += 16) rows.push(`  ${values.slice(at, at + 16).join(', ')},`);
  return rows.join('\n');
}
