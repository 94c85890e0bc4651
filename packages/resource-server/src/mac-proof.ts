import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { OAuthError } from '../../../src/domain/oauth-error.ts';
import type { SingleUse } from '../../../src/domain/single-use.ts';
import { singleUse } from '../../../src/domain/single-use.ts';
import { decodeBase64url } from '../../../src/jose/base64url.ts';
import { type JwsParts, jwsParts } from '../../../src/jose/compact-jws.ts';
import { JoseError } from '../../../src/jose/jose-error.ts';
import { parseStrictJson } from '../../../src/jose/strict-json.ts';
import {
  type ProofClaimsOptions,
  proofClaims,
} from '../../../src/protocol/possession/proof-claims.ts';

/** A symmetric key for HS256. */
export interface SymmetricKey {
  readonly bytes: Buffer;
  readonly kid: unknown;
  /** RFC 7638 thumbprint, which does not reveal the key. */
  readonly jkt: string;
}

/** A checked proof, not yet marked as used. */
interface MacProof {
  readonly key: SymmetricKey;
  readonly use: SingleUse;
  readonly ath?: unknown;
  readonly freshNonce?: string;
}

/** Header members that contain or locate a key; the key must come from the token. */
const keyBearing = ['jwk', 'jku', 'x5u', 'x5c'];

/** Reads the JWK in `cnf.jwe`, of 256 bits or more (RFC 7518 §3.2, §6.4). Throws JoseError. */
export function readSymmetricKey(json: Buffer): SymmetricKey {
  const { kty, alg = 'HS256', k, kid } = parseStrictJson(json.toString('utf8'));
  const bytes = decodeBase64url(k);
  if (kty !== 'oct' || alg !== 'HS256') throw new JoseError('kty_unsupported');
  if (bytes === undefined || bytes.length < 32 || bytes.length > 512)
    throw new JoseError('member_invalid', 'k');
  return { bytes, kid, jkt: hash('sha256', JSON.stringify({ k, kty }), 'base64url') };
}

/**
 * Checks the `PoP` header field: a DPoP proof (RFC 9449 §4.3) of type `pop+jwt`, with an HS256 MAC
 * by the key in the token (docs/protocol.md). Throws `invalid_dpop_proof` or `use_dpop_nonce`.
 */
export function macProof(key: SymmetricKey) {
  return (
    options: ProofClaimsOptions,
  ): ((fields: readonly string[], method: string, nonceRequired: boolean) => MacProof) => {
    const checkClaims = proofClaims(options);
    return (fields, method, nonceRequired) => {
      const { payload } = readProof(fields, key);
      const { jti, target, acceptable, ...rest } = checkClaims(payload, method, nonceRequired);
      return { key, use: singleUse('pop_proof', key.jkt, target, jti, acceptable), ...rest };
    };
  };
}

function readProof(fields: readonly string[], { bytes, kid }: SymmetricKey): JwsParts {
  const [text] = fields;
  if (fields.length !== 1 || text === undefined) throw new OAuthError('proof_header_repeated');
  let jws: JwsParts;
  try {
    jws = jwsParts(text);
  } catch (cause) {
    throw new OAuthError('proof_malformed', { cause });
  }
  if (jws.header['alg'] !== 'HS256') throw new OAuthError('proof_alg_not_allowed');
  if (jws.header['typ'] !== 'pop+jwt') throw new OAuthError('proof_typ_mismatch');
  if (keyBearing.some((member) => member in jws.header)) throw new OAuthError('proof_brings_key');
  if (jws.header['kid'] !== undefined && jws.header['kid'] !== kid)
    throw new OAuthError('proof_kid_mismatch');
  const mac = createHmac('sha256', bytes).update(jws.signingInput).digest();
  if (jws.signature.length !== mac.length || !timingSafeEqual(jws.signature, mac))
    throw new OAuthError('proof_mac_invalid');
  return jws;
}
