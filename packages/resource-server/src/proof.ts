import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '../../../src/domain/clock.ts';
import { OAuthError } from '../../../src/domain/oauth-error.ts';
import type { SingleUse } from '../../../src/domain/single-use.ts';
import type { SigningAlgorithm } from '../../../src/jose/algorithms.ts';
import { decryptCompactJwe } from '../../../src/jose/compact-jwe.ts';
import type { DecryptionKey } from '../../../src/jose/decryption-key.ts';
import { dpop } from '../../../src/protocol/possession/dpop.ts';
import type { DpopNonces } from '../../../src/protocol/possession/dpop-nonce.ts';
import type { Candidate } from './candidates.ts';
import type { Credentials } from './credentials.ts';
import { macProof, readSymmetricKey, type SymmetricKey } from './mac-proof.ts';
import type { PresentedRequest } from './options.ts';
import type { Reason } from './reasons.ts';
import { invalidToken, Refused } from './refusal.ts';
import { schemeOf } from './verifiable-methods.ts';

/** The key that this request proves. */
export interface ShownKey {
  readonly thumbprint: string;
  /** Whether this proof can confirm a candidate; thumbprints of different kinds never match. */
  readonly confirms: (candidate: Candidate) => boolean;
  /** The proof, to be marked as used after all other checks. */
  readonly use?: SingleUse;
  readonly freshNonce?: string;
}

/** What proofs are checked against. Times in seconds. */
export interface ProofOptions {
  readonly clock: Clock;
  readonly nonces: DpopNonces | undefined;
  readonly algs: readonly SigningAlgorithm[];
  readonly decryptionKeys: readonly DecryptionKey[];
  readonly maxAge: number;
  readonly maxFuture: number;
}

/** Checks the proof that the scheme demands, except for its replay. Throws Refused. */
export function shownKey(
  credentials: Credentials,
  request: PresentedRequest,
  candidates: readonly Candidate[],
  options: ProofOptions,
): ShownKey {
  const { scheme } = credentials;
  if (scheme === 'Bearer') return byCertificate(request.certificate);
  return byProof(
    credentials,
    request,
    options,
    scheme === 'DPoP' ? dpop : macProof(symmetricKey(candidates, options.decryptionKeys)),
  );
}

/** Checks a DPoP proof (RFC 9449 §4.3), including `ath`. */
function byProof(
  { scheme, token, proofs }: Credentials,
  { method, url }: PresentedRequest,
  { nonces, ...options }: ProofOptions,
  kind: typeof dpop | ReturnType<typeof macProof>,
): ShownKey {
  try {
    const check = kind({
      ...options,
      endpoint: url,
      nonces: nonces ?? noNonces,
      nonceAlways: nonces !== undefined,
    });
    const { key, use, ath, freshNonce } = check(proofs, method, nonces !== undefined);
    if (ath !== createHash('sha256').update(token).digest('base64url'))
      throw new OAuthError('proof_ath_mismatch');
    const confirms = ({ method }: Candidate) => schemeOf[method] === scheme;
    return { thumbprint: key.jkt, confirms, use, ...(freshNonce !== undefined && { freshNonce }) };
  } catch (fault) {
    if (!(fault instanceof OAuthError)) throw fault;
    const nonce = fault.code === 'use_dpop_nonce' ? nonces?.current() : undefined;
    throw new Refused({
      error: nonce === undefined ? 'invalid_dpop_proof' : 'use_dpop_nonce',
      description:
        scheme === 'DPoP'
          ? fault.message
          : 'the proof with the symmetric key is not for this request and token, or has no nonce',
      // The checks of proofs have only these.
      reason: fault.reason as Reason,
      of: [scheme],
      cause: fault.cause,
      ...(nonce !== undefined && { dpopNonce: nonce }),
    });
  }
}

/** The certificate of the connection; the handshake proved its key (RFC 8705 §3). */
function byCertificate(certificate: PresentedRequest['certificate']): ShownKey {
  if (certificate === undefined || certificate.length === 0)
    throw invalidToken(
      'the access token is bound to a key, which was not proven in this request',
      'token_as_bearer',
    );
  let der: Buffer;
  try {
    der = new X509Certificate(certificate).raw;
  } catch (cause) {
    throw invalidToken('the client certificate is malformed', 'certificate_malformed', cause);
  }
  return {
    thumbprint: createHash('sha256').update(der).digest('base64url'),
    confirms: ({ method }) => schemeOf[method] === 'Bearer',
  };
}

/** The symmetric key of the token (RFC 7800 §3.3). */
function symmetricKey(
  candidates: readonly Candidate[],
  keys: readonly DecryptionKey[],
): SymmetricKey {
  const jwe = candidates.find((candidate) => candidate.jwe !== undefined)?.jwe;
  if (jwe === undefined)
    throw invalidToken(
      'the access token is not bound to the key that was proven in this request',
      'key_mismatch',
    );
  try {
    return readSymmetricKey(decryptCompactJwe(jwe, keys));
  } catch (cause) {
    throw invalidToken(
      'the access token names no key that can be verified here',
      'cnf_key_unusable',
      cause,
    );
  }
}

const noNonces: DpopNonces = { current: () => '', check: () => ({ valid: false }) };
