import type { Audit } from '../deploy/audit.js';
import { FORMAT, FORMAT_VERSION, STATEMENT } from '../deploy/verify/verifyCertificate.js';
import { decodeSafetensors } from '../tensor/safetensors.js';
import { sha256 } from '../tensor/sha256.js';
import type { RunConfig } from './config.js';
import { modelName } from './models.js';
import type { ComputedBy } from './storedIntegers.js';

/** The file whose integers were audited. */
export interface CertifiedFile {
  /** Its name, without folders. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly config: RunConfig;
  /** Who computed the integers in it; null if they were computed from the weights just now. */
  readonly integers: ComputedBy | null;
}

/** What was proved, of which file, by whom. */
export type Certificate = Awaited<ReturnType<typeof makeCertificate>>;

/** @param auditedBy who audits @returns what `verifyCertificate` checks again, once it is written */
export async function makeCertificate(audit: Audit, file: CertifiedFile, auditedBy: ComputedBy) {
  const { dataset, method, weightBits = null, actBits = null, accumulatorBits = null } = file.config;
  const { a2q_config: text = '' } = decodeSafetensors(file.bytes, file.name).metadata;
  const { version, backend, simd } = auditedBy;
  const { proved, safeBits, sparsity, problems, layers } = audit;
  const contents = {
    format: FORMAT,
    version: FORMAT_VERSION,
    statement: STATEMENT,
    checkpoint: { file: file.name, sha256: await sha256(file.bytes) },
    config: {
      sha256: await textHash(text),
      ...{ model: modelName(file.config), dataset: dataset.name, method, weightBits, actBits, accumulatorBits },
    },
    integers: file.integers,
    auditedBy: { version, backend, simd },
    ...{ proved, safeBits, sparsity, problems, layers },
  };
  return { ...contents, sha256: await textHash(JSON.stringify(contents)) };
}

/** As it stands in a file. */
export function formatCertificate(certificate: Certificate): string {
  return `${JSON.stringify(certificate, null, 2)}\n`;
}

function textHash(text: string): Promise<string> {
  return sha256(new TextEncoder().encode(text));
}
