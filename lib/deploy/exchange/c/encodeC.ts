import { asInteger, asList, asOptions, asString } from '../../../tensor/argument.js';
import { DataError } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import { asGraph } from '../../graph/argument.js';
import { checkGraph } from '../../graph/check.js';
import { type GraphNode, type IntegerGraph, isProduct } from '../../graph/graph.js';
import { bodyOf, operand } from './nodes.js';
import { type CValue, Plan } from './plan.js';
import { decodeFunction, quantizeFunction } from './real.js';
import { comment, identifier, indented, loops } from './text.js';

/** How a network becomes C. */
export interface COptions {
  /** What all names in the files start with, and the files themselves are called. Default: the network's name. */
  readonly name?: string;
  /** What the source includes. Default: the name, as C has it, with `.h`. */
  readonly headerFile?: string;
  /** `[C, H, W]` or `[F]` of one sample; C has no other. Default: as the network has it. */
  readonly input?: readonly number[];
}

/** A header and a source, which includes it; `name` is what their names start with. */
export interface CFiles {
  readonly name: string;
  readonly header: string;
  readonly source: string;
}

/**
 * A network as C99 that needs nothing but `<stdint.h>`: one sample a call, all memory static, sums in the narrowest
 * type that holds every partial sum of the layer. Gives the same integers as `runReference`.
 * @throws DataError if the graph is none, does not take the input, or needs arrays too large
 */
export function encodeC(graph: IntegerGraph, options: COptions = {}): CFiles {
  checkGraph(asGraph('encodeC', graph), 'the network');
  const { name = graph.name, input = graph.input.shape } = asOptions('encodeC', options);
  for (const extent of asList('encodeC', 'input', input)) asInteger('encodeC', 'an extent of the input', extent, 1);
  const prefix = prefixOf(asString('encodeC', 'name', name));
  const { headerFile = `${prefix}.h` } = options;
  if (/["\\\n\r]/.test(asString('encodeC', 'headerFile', headerFile))) {
    throw new DataError('export', `C cannot include a file called ${headerFile}; choose another name`);
  }
  const plan = new Plan(graph, prefix, input);
  const places = plan.places();
  const functions: string[] = [];
  const calls: string[] = [];
  for (const node of graph.nodes) {
    if (node.op === 'reshape') continue;
    const called = plan.name(node.name);
    const operands = node.inputs.map((each, n) => `const ${plan.value(each).type} *restrict ${operand(n)}`);
    const result = `${plan.value(node.name).type} *restrict y`;
    const body = indented(bodyOf(node, plan));
    functions.push(`${about(node, plan)}static void ${called}(${[...operands, result].join(', ')}) {\n${body}}\n`);
    calls.push(`${called}(${[...node.inputs, node.name].map((each) => places.get(each)).join(', ')});\n`);
  }
  const output = plan.value(graph.output.value);
  const copy = loops([['i', sizeOf(output.shape)]], `output[i] = ${places.get(graph.output.value)}[i];\n`);
  const run = `void ${prefix}_run(const ${prefix}_input_t *input, int32_t *output) {
${indented(calls.join('') + copy)}}
`;
  const buffers = plan.buffers.map((buffer) => `static ${buffer.type} ${buffer.name}[${buffer.length}];\n`).join('');
  const parts = [
    `#include "${headerFile}"\n`,
    ...plan.constants.values(),
    buffers,
    ...plan.helpers.values(),
    ...functions,
    run,
    decodeFunction(plan),
    quantizeFunction(plan),
    mainFunction(prefix),
  ];
  return { name: prefix, header: headerOf(plan), source: parts.filter((part) => part !== '').join('\n') };
}

/** The name as the start of identifiers: not with a digit, nor with what `<stdint.h>` takes for itself. */
function prefixOf(name: string): string {
  const word = identifier(name, new Set());
  return /^(\d|u?int)/i.test(word) ? `net_${word}` : word;
}

/** What stands above a node's function. */
function about(node: GraphNode, plan: Plan): string {
  const { shape, low, high, type } = plan.value(node.name);
  const made = `${comment(node.name)}: ${node.op}, [${shape.join(', ')}] of ${low} ... ${high}`;
  if (!isProduct(node)) return `/* ${made} */\n`;
  const claimed = node.accumulatorBits === null ? 'no P is claimed' : `P = ${node.accumulatorBits} is claimed`;
  return `/* ${made}; ${claimed}; every partial sum, in any order, lies in that range: ${type} holds it */\n`;
}

function headerOf({ graph, prefix, values, buffers }: Plan): string {
  const [input, output] = [graph.input.name, graph.output.value].map((name) => values.get(name) as CValue);
  const guard = `${prefix.toUpperCase()}_H`;
  const bytes = buffers.reduce((sum, { type, length }) => sum + length * BYTES[type], 0);
  const [channels] = graph.input.shape;
  const pixels =
    graph.task === null
      ? ''
      : `
/* Interleaved bytes, ${channels} a pixel, row by row, as pictures hold them, to input integers. */
void ${prefix}_quantize_pixels(const uint8_t *pixels, ${prefix}_input_t *input);
`;
  return `/*
 * ${comment(graph.name)}: an integer network, written by a2q export.
 * Nothing is needed but <stdint.h>. ${bytes} bytes of static memory beside the constants; one sample at a time, so
 * calls must not overlap. With -D${guard.slice(0, -2)}_MAIN the source becomes a program: samples of input integers on
 * stdin, output integers on stdout, both as they lie in memory.
 */
#ifndef ${guard}
#define ${guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Integers of ${graph.input.low} ... ${graph.input.high}, each worth ${graph.input.scale}. */
typedef ${input.type} ${prefix}_input_t;

/* [${input.shape.join(', ')}] */
#define ${guard.slice(0, -2)}_INPUTS ${sizeOf(input.shape)}
/* [${output.shape.join(', ')}], of ${output.low} ... ${output.high} */
#define ${guard.slice(0, -2)}_OUTPUTS ${sizeOf(output.shape)}

/* The network. Input integers must lie in their range. */
void ${prefix}_run(const ${prefix}_input_t *input, int32_t *output);

/* The real numbers that output integers stand for. */
void ${prefix}_decode(const int32_t *output, float *real);
${pixels}
#ifdef __cplusplus
}
#endif

#endif
`;
}

const BYTES = { int8_t: 1, uint8_t: 1, int16_t: 2, int32_t: 4 } as const;

function mainFunction(prefix: string): string {
  const upper = prefix.toUpperCase();
  return `#ifdef ${upper}_MAIN
#include <stdio.h>

int main(void) {
  static ${prefix}_input_t input[${upper}_INPUTS];
  static int32_t output[${upper}_OUTPUTS];
  size_t read;
  while ((read = fread(input, sizeof input[0], ${upper}_INPUTS, stdin)) == ${upper}_INPUTS) {
    ${prefix}_run(input, output);
    if (fwrite(output, sizeof output[0], ${upper}_OUTPUTS, stdout) != ${upper}_OUTPUTS) return 1;
  }
  return read == 0 && !ferror(stdin) && fflush(stdout) == 0 ? 0 : 1;
}
#endif
`;
}
