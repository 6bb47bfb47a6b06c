import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeNetwork } from '../../lib/deploy/graph/file.js';
import { isProduct } from '../../lib/deploy/graph/graph.js';
import { randomGraph } from '../deploy/randomGraph.js';
import { a2q, a2qAll } from './a2q.js';

t.test('a network is audited, certified and verified', async (t) => {
  const folder = t.testdir({ 'no.json': '{' });
  const at = (name: string) => join(folder, name);
  const graph = randomGraph({ seed: 3, width: 2, size: 4, accumulatorBits: 9 });
  const nodes = graph.nodes.map((node) => (isProduct(node) ? { ...node, accumulatorBits: 3 } : node));
  writeFileSync(at('net'), encodeNetwork(graph));
  writeFileSync(at('narrow'), encodeNetwork({ ...graph, nodes }));
  const audit = await a2q(['audit', '--model', at('net'), '--out', at('net.json'), '--witness']);
  const [json, verify] = await a2qAll([
    ['audit', '--model', at('net'), '--json'],
    ['verify', at('net'), at('net.json')],
  ]);
  const narrow = await a2q(['audit', '--model', at('narrow'), '--out', at('narrow.json')]);
  const [other, broken, unproved] = await Promise.all([
    a2q(['verify', at('narrow'), at('net.json'), '--json']),
    a2q(['verify', at('net'), at('no.json')]),
    a2q(['verify', at('narrow'), at('narrow.json')]),
  ]);
  t.equal(audit.code, 0);
  for (const { layer } of JSON.parse(json.stdout).layers) t.match(audit.stdout, new RegExp(`^${layer} .*`, 'm'));
  t.match(audit.stdout, /layer .* P .*safe P .*verdict/);
  t.match(audit.stdout, /conv2 channel \d: worst sum -?\d+ at inputs \[/);
  t.match(audit.stdout, /residual adds and pools sum in \d+ bits at most: planes/);
  t.match(audit.stdout, /compared with thresholds \(biases are in these\) in \d+ bits at most/);
  t.match(audit.stdout, /multiplied, and offsets \(biases\) added, in \d+ bits at most/);
  t.match(audit.stdout, /proved: no accumulator of the bits it claims can overflow\ncertificate: .*net\.json/);
  t.match(JSON.parse(json.stdout), { proved: true, certificate: null, layers: [{ layer: 'conv1', safeBits: 19 }] });
  t.match(verify, { code: 0, stdout: /^verified\nevery layer that claims a width is proved/ });
  t.equal(other.code, 1);
  t.match(JSON.parse(other.stdout), { verified: false, proved: null, differences: [/^network\.sha256 is/] });
  t.match(broken, { code: 1, stdout: /the certificate is not JSON\nNOT verified/ });
  t.match(narrow, { code: 1, stdout: /OVERFLOWS[\s\S]*NOT proved/ });
  t.match(unproved, { code: 1, stdout: /conv1 claims 3 bits; its sums need 19\n[\s\S]*NOT verified/ });
});

t.test('what does not go together is told before anything is read', async (t) => {
  const folder = t.testdir({ net: '' });
  const net = join(folder, 'net');
  const refused: readonly (readonly [line: readonly string[], message: RegExp])[] = [
    [['audit'], /name one of --run FOLDER, --checkpoint FILE or --model FILE/],
    [['audit', '--model', join(folder, 'gone')], /--model: there is no file/],
    [['audit', '--model', net, '--run', folder], /--run does not go with --model/],
    [['audit', '--model', net, '--backend', 'wasm'], /--backend does not go with --model/],
    [['audit', '--model', net, '--data'], /--data does not go with --model/],
    [['verify'], /name a network and its certificate, or either --run FOLDER or --checkpoint FILE/],
    [['verify', net], /name a certificate behind the network/],
    [['verify', net, join(folder, 'gone')], /there is no file/],
    [['verify', net, net, '--run', folder], /--run does not go with a network/],
  ];
  const calls = await a2qAll(refused.map(([line]) => line));
  for (const [i, [line, message]] of refused.entries()) t.match(calls[i], { code: 2, stderr: message }, line.join(' '));
  const [empty] = await a2qAll([['audit', '--model', net]]);
  t.match(empty, { code: 1, stderr: /net: only 0 bytes; not a safetensors file/ });
});
