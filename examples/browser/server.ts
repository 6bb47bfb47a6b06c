import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';

/** What WebGPU, WebGL2, WebAssembly and the project's own kernels need: no code from strings. */
export const STRICT_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'";

/** The same, and code from strings, which gpu.js needs for plain JavaScript. */
export const EVAL_POLICY = STRICT_POLICY.replace("'wasm-unsafe-eval'", "'wasm-unsafe-eval' 'unsafe-eval'");

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.map': 'application/json',
};

/** Serves a folder on this machine only, under a content security policy. @returns the server and its address */
export async function servePage(folder: string, policy: string, port = 0): Promise<{ server: Server; url: string }> {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    const file = path === '/' ? 'index.html' : path.slice(1);
    const type = TYPES[extname(file)];
    try {
      if (type === undefined) throw new Error('not of the page');
      const data = await readFile(join(folder, file));
      response.writeHead(200, { 'content-type': type, 'content-security-policy': policy }).end(data);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  return { server, url: `http://127.0.0.1:${listening}/` };
}
