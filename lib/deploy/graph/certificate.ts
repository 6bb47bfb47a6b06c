import { asInstance, asOptions } from '../../tensor/argument.js';
import { sha256 } from '../../tensor/sha256.js';
import { NETWORK_FORMAT, NETWORK_FORMAT_VERSION, NETWORK_STATEMENT } from '../verify/verifyNetwork.js';
import { auditGraph, type GraphAudit } from './audit.js';
import { decodeNetwork } from './file.js';
import type { Extremes } from './ranges.js';

/** What was proved of a network file: a pure function of its bytes, so that nobody need be trusted. */
export interface NetworkCertificate extends GraphAudit {
  readonly format: string;
  readonly version: number;
  /** In words. */
  readonly statement: string;
  /** Its own name, and the SHA-256 of the file, hexadecimal. */
  readonly network: { readonly name: string; readonly sha256: string };
  /** The inputs it speaks of: `[C, H, W]` or `[F]` of one sample, of integers `low … high`. */
  readonly input: { readonly name: string; readonly shape: readonly number[] } & Extremes;
}

/**
 * Audits a network file and binds the audit to its bytes.
 * @param file as `encodeNetwork` writes it @param name of the file, for errors
 * @throws DataError if it holds no network
 */
export async function certifyNetwork(file: Uint8Array, name = 'network'): Promise<NetworkCertificate> {
  asInstance('certifyNetwork', 'file', file, Uint8Array);
  const graph = decodeNetwork(file, name);
  const { shape, low, high } = graph.input;
  const { proved, safeBits, layers, registers } = await auditGraph(graph);
  return {
    format: NETWORK_FORMAT,
    version: NETWORK_FORMAT_VERSION,
    statement: NETWORK_STATEMENT,
    network: { name: graph.name, sha256: await sha256(file) },
    input: { name: graph.input.name, shape, low, high },
    ...{ proved, safeBits, layers, registers },
  };
}

/** As it stands in a file; `verifyNetwork` takes no other spelling. */
export function formatNetworkCertificate(certificate: NetworkCertificate): string {
  return `${JSON.stringify(asOptions('certifyNetwork', certificate, 'the certificate'), null, 2)}\n`;
}
