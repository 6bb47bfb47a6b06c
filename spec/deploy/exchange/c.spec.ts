import t from 'tap';
import { encodeC } from '../../../lib/deploy/exchange/c/encodeC.js';
import c from '../../../lib/deploy/exchange/formats/c.js';
import { decodeOutput, quantizeInput } from '../../../lib/deploy/graph/decode.js';
import { type GraphNode, type IntegerGraph, integerTensor } from '../../../lib/deploy/graph/graph.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { windowsGraph } from '../windowsGraph.js';
import { computeC, noCompiler, runC } from './compiledC.js';

t.test('C gives the integers of the reference', { skip: noCompiler }, async (t) => {
  const networks = [
    { seed: 1 },
    { seed: 2, width: 16, accumulatorBits: 12, zeros: 0.9 },
    { seed: 3, size: 9, weightBits: 8, actBits: 8 },
    { seed: 4, actBits: 1, weightBits: 2, size: 12 },
  ];
  for (const options of networks) {
    const graph = randomGraph(options);
    const x = randomInput(graph, 3, options.seed);
    t.strictSame([...computeC(graph, x)], [...runReference(graph, x).data], JSON.stringify(options));
  }
});

t.test('for windows of every geometry, signed and wide inputs', { skip: noCompiler }, async (t) => {
  for (const range of [
    [-8, 7],
    [0, 255],
    [-300, 40000],
  ] as const) {
    const graph = windowsGraph({ seed: range[1], convolutions: 12, pools: 8, range });
    const x = randomInput(graph, 2, 1);
    t.strictSame([...computeC(graph, x)], [...runReference(graph, x).data], range.join());
  }
});

t.test('for images of another size', { skip: noCompiler }, async (t) => {
  const graph = windowsGraph({ seed: 5, convolutions: 6, pools: 4 });
  const input = [4, 12, 21] as const;
  const x = randomInput({ ...graph, input: { ...graph.input, shape: input } }, 1, 3);
  t.strictSame([...computeC(graph, x, { input, name: 'larger' })], [...runReference(graph, x).data]);
  t.throws(() => encodeC(graph, { input: [3, 9, 7] }), /inputs must be like \[N, 4, 9, 7\]/);
});

/** Fully connected, of names that mean something in C. */
function hostile(rest: Partial<IntegerGraph> = {}): IntegerGraph {
  const nodes: GraphNode[] = [
    { op: 'add', name: 'run', inputs: ['*/ #error', '*/ #error'] },
    { op: 'reshape', name: 'H', inputs: ['run'], shape: [6] },
    { op: 'linear', name: 'a b', inputs: ['H'], weights: 'a/b', weightBits: 8, accumulatorBits: 16 },
    { op: 'reshape', name: 'a_b', inputs: ['a b'], shape: [2, 1, 1] },
  ];
  return {
    name: '9 "lives"??/',
    input: { name: '*/ #error', shape: [2, 1, 3], low: -3, high: 5, scale: 0.25 },
    nodes,
    output: {
      value: 'a_b',
      decode: [
        { op: 'multiply', values: [0.1, 1 / 3] },
        { op: 'add', values: [-0.7] },
        { op: 'divide', values: [3] },
        { op: 'maximum', values: [0, -1e9] },
      ],
    },
    tensors: new Map([['a/b', integerTensor([2, 6], [1, -2, 3, 127, -128, 0, 7, 7, -7, 0, 0, 1])]]),
    task: { kind: 'labels', classes: ['\\', '"'], pixels: { mean: [0.5, 0.4], std: [0.25, 0.6] } },
    notes: [],
    ...rest,
  };
}

t.test('whatever things are called', { skip: noCompiler }, async (t) => {
  const graph = hostile();
  const x = randomInput(graph, 4, 1);
  t.strictSame([...computeC(graph, x)], [...runReference(graph, x).data]);
  const files = c.encode(graph, { name: 'my net', opName: 'Quant', fused: false }) as ReadonlyMap<string, string>;
  t.strictSame([...files.keys()], ['.h', '.c']);
  t.match(files.get('.c'), /#include "my net\.h"\n/);
  t.match(files.get('.h'), /void my_net_run\(const my_net_input_t \*input, int32_t \*output\);/);
  t.throws(() => c.encode(graph, { name: 'a"b', opName: 'Quant', fused: false }), {
    name: 'DataError',
    message: /cannot include/,
  });
  t.equal(encodeC(graph).name, 'net_9_lives');
  t.equal(encodeC(graph, { name: 'int8' }).name, 'net_int8');
});

t.test('pixels become integers, and integers real numbers', { skip: noCompiler }, async (t) => {
  const graph = hostile();
  const main = `#include <stdio.h>
#include "net.h"
int main(void) {
  uint8_t pixels[6];
  net_input_t input[NET_INPUTS];
  int32_t output[NET_OUTPUTS];
  float real[NET_OUTPUTS];
  while (fread(pixels, 1, 6, stdin) == 6) {
    net_quantize_pixels(pixels, input);
    net_run(input, output);
    net_decode(output, real);
    fwrite(input, 1, sizeof input, stdout);
    fwrite(real, 1, sizeof real, stdout);
  }
  return 0;
}
`;
  const bytes = Uint8Array.from({ length: 6 * 128 }, (_, i) => (i * 37) % 256);
  const written = runC(encodeC(graph, { name: 'net' }), bytes, main);
  t.equal(written.length, 128 * 14);
  const { mean, std } = { mean: [0.5, 0.4], std: [0.25, 0.6] };
  for (let n = 0; n < 128; n++) {
    const planes = Float32Array.from({ length: 6 }, (_, i) => {
      const [channel, pixel] = [Math.floor(i / 3), i % 3];
      return (bytes[n * 6 + pixel * 2 + channel] / 255 - mean[channel]) / std[channel];
    });
    const integers = quantizeInput(graph, planes, [1, 2, 1, 3]);
    t.strictSame(
      [0, 1, 2, 3, 4, 5].map((i) => written.readInt8(n * 14 + i)),
      [...integers.data],
    );
    t.strictSame(
      [6, 10].map((at) => written.readFloatLE(n * 14 + at)),
      [...decodeOutput(graph, runReference(graph, integers))],
    );
  }
});

t.test('sums are held in the narrowest type that the proof allows', async (t) => {
  const graph = randomGraph({ seed: 2, accumulatorBits: 8, zeros: 0.9 });
  const { source, header } = encodeC(graph, { name: 'net' });
  t.match(source, /conv2: conv, .*P = 8 is claimed; .*: int8_t holds it/);
  t.match(source, /static void net_conv2\(const int8_t \*restrict x, int8_t \*restrict y\)/);
  t.match(header, /typedef uint8_t net_input_t;/);
  t.strictSame(source.match(/#include .*/g), ['#include "net.h"', '#include <stdio.h>']);
});

t.test('what C cannot hold is refused', async (t) => {
  const graph = hostile();
  const large = windowsGraph({ seed: 1, convolutions: 1, pools: 0 });
  t.throws(() => encodeC(large, { input: [4, 2 ** 15, 2 ** 15] }), {
    name: 'DataError',
    message: /more than 2\^28 elements/,
  });
  t.throws(() => encodeC(graph, { input: [0, 1, 3] }), { name: 'ArgumentError' });
  t.throws(() => encodeC({} as IntegerGraph), { name: 'ArgumentError' });
});
