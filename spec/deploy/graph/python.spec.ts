import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { encodeNetwork } from '../../../lib/deploy/graph/file.js';
import { randomGraph } from '../randomGraph.js';

/** A reader of the format as its page describes it, in Python, with struct and json alone; or Hugging Face's own. */
const READER = `
import json, struct, sys

def plain(path):
    with open(path, 'rb') as file:
        data = file.read()
    (length,) = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + length].decode('utf-8'))
    metadata = header.pop('__metadata__')
    body, tensors, end = data[8 + length:], {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
        begin, stop = entry['data_offsets']
        assert begin == end, 'a gap'
        code, size = {'I8': ('b', 1), 'I16': ('h', 2), 'I32': ('i', 4)}[entry['dtype']]
        assert (8 + length + begin) % size == 0, 'not aligned'
        tensors[name] = [entry['shape'], list(struct.unpack(f'<{(stop - begin) // size}{code}', body[begin:stop]))]
        end = stop
    assert end == len(body), 'bytes left over'
    return metadata, tensors

def hugging_face(path):
    from safetensors import safe_open
    with safe_open(path, framework='numpy') as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        return file.metadata(), {name: [list(x.shape), x.flatten().tolist()] for name, x in tensors.items()}

metadata, tensors = (hugging_face if sys.argv[2] == 'package' else plain)(sys.argv[1])
print(json.dumps({'metadata': metadata, 'tensors': tensors}))
`;

function works(program: string): boolean {
  try {
    execFileSync('python3', ['-c', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const WAYS = {
  plain: works('') ? false : 'python3 is not here',
  package: works('import numpy, safetensors') ? false : 'python3 has no packages numpy and safetensors here',
};

for (const [way, skip] of Object.entries(WAYS)) {
  t.test(`Python reads a network: ${way}`, { skip }, async (t) => {
    const graph = randomGraph({ seed: 4, weightBits: 8 });
    const file = join(t.testdir(), 'net.a2q.safetensors');
    await writeFile(file, encodeNetwork(graph));
    const { stdout } = await promisify(execFile)('python3', ['-c', READER, file, way], { maxBuffer: 2 ** 26 });
    const { metadata, tensors } = JSON.parse(stdout);
    t.same(Object.keys(tensors).sort(), [...graph.tensors.keys()].sort());
    for (const [name, { shape, data }] of graph.tensors) t.same(tensors[name], [shape, [...data]], name);
    const { version, nodes, input, output } = JSON.parse(metadata['a2q.network']);
    t.equal(version, 1);
    t.same({ nodes, input, output }, { nodes: graph.nodes, input: graph.input, output: graph.output });
  });
}
