import type { SigningAlgorithm } from './algorithms.ts';
import { signingAlgorithms } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';
import { JoseError } from './jose-error.ts';
import type { PublicKey } from './public-key.ts';
import { verifySignature } from './signature.ts';
import { parseStrictJson } from './strict-json.ts';

/** The parts of a compact JWS. */
export interface JwsParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}

/** A well-formed compact JWS with a known algorithm; its signature is not yet verified. */
export interface ParsedJws extends JwsParts {
  readonly alg: SigningAlgorithm;
}

/** Limits of a proof: the header may hold an ML-DSA-87 key, the claims are small. */
export const proofLimits: JwsLimits = { header: 8192, payload: 2048, signature: 6400 };

/** The maximum number of characters of each part. */
export interface JwsLimits {
  readonly header: number;
  readonly payload: number;
  readonly signature: number;
}

// `JSON.parse` refuses the byte order mark (RFC 8259 §8.1), which a decoder would drop.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses a compact JWS with a known asymmetric `alg`. `known` is its header if the caller has
 * parsed the same text before. Throws JoseError.
 */
export function parseCompactJws(
  text: string,
  limits: JwsLimits = proofLimits,
  known?: JwsParts['header'],
): ParsedJws {
  const parts = jwsParts(text, limits, known);
  const alg = signingAlgorithms.find((known) => known === parts.header['alg']);
  if (alg === undefined) throw new JoseError('alg_unsupported');
  return { ...parts, alg };
}

/** Splits and decodes a compact JWS after checking its limits. Throws JoseError. */
export function jwsParts(
  text: string,
  limits: JwsLimits = proofLimits,
  known?: JwsParts['header'],
): JwsParts {
  const parts =
    text.length > limits.header + limits.payload + limits.signature + 2
      ? undefined
      : text.split('.', 4);
  if (parts === undefined) throw new JoseError('jws_too_large');
  const [header64, payload64, signature64] = parts;
  if (parts.length !== 3 || header64 === undefined || payload64 === undefined || !signature64)
    throw new JoseError('jws_malformed');
  if (
    header64.length > limits.header ||
    payload64.length > limits.payload ||
    signature64.length > limits.signature
  )
    throw new JoseError('jws_too_large');
  const header = known ?? jsonPart(header64);
  const payload = jsonPart(payload64);
  const signature = decodeBase64url(signature64);
  if (signature === undefined) throw new JoseError('jws_malformed');
  // No extension is supported, so a critical one must be refused (RFC 7515 §4.1.11).
  if ('crit' in header || 'b64' in header) throw new JoseError('crit_unsupported');
  return {
    header,
    payload,
    signingInput: Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1'),
    signature,
  };
}

/** Verifies the signature; `alg` must be allowed for purpose and key. Throws JoseError. */
export function verifyJws(
  jws: ParsedJws,
  key: PublicKey,
  allowed: readonly SigningAlgorithm[],
): void {
  if (!allowed.includes(jws.alg)) throw new JoseError('alg_not_allowed');
  if (!key.algs.includes(jws.alg)) throw new JoseError('alg_key_mismatch');
  if (!verifySignature(jws.alg, key.keyObject, jws.signingInput, jws.signature))
    throw new JoseError('signature_invalid');
}

/** Whether `verifyJws` accepts the signature. */
export function isSignedBy(
  jws: ParsedJws,
  key: PublicKey,
  allowed: readonly SigningAlgorithm[],
): boolean {
  try {
    verifyJws(jws, key, allowed);
    return true;
  } catch (fault) {
    if (fault instanceof JoseError) return false;
    throw fault;
  }
}

/** Decodes a part that is a JSON object in base64url. Throws JoseError. */
export function jsonPart(text: string): Record<string, unknown> {
  const bytes = decodeBase64url(text);
  if (bytes === undefined || bytes.length === 0) throw new JoseError('jws_malformed');
  let json: string;
  try {
    json = utf8.decode(bytes);
  } catch {
    throw new JoseError('json_invalid');
  }
  return parseStrictJson(json);
}
