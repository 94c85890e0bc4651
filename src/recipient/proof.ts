import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { SigningAlgorithm } from '../jose/algorithms.ts';
import { OAuthError } from '../oauth-error.ts';
import { dpop } from '../possession/dpop.ts';
import type { DpopNonces } from '../possession/dpop-nonce.ts';
import type { SingleUse } from '../replay-store.ts';
import type { Candidate } from './candidates.ts';
import type { Credentials } from './credentials.ts';
import type { PresentedRequest } from './options.ts';
import { invalidToken, Refused } from './refusal.ts';

/** A key that the presenter of the token has proven in this request. */
export interface ShownKey {
  readonly thumbprint: string;
  /** Whether a candidate of this kind can be confirmed by this proof: a thumbprint of one kind never matches in the place of another. */
  readonly confirms: (candidate: Candidate) => boolean;
  /** The proof, to be marked as used once everything else is right. */
  readonly use?: SingleUse;
  readonly freshNonce?: string;
}

/** What a DPoP proof is checked against. Times in seconds. */
export interface ProofOptions {
  readonly clock: Clock;
  readonly nonces: DpopNonces | undefined;
  readonly algs: readonly SigningAlgorithm[];
  readonly maxAge: number;
  readonly maxFuture: number;
}

/** Checks the proof of the mechanism that the scheme names (protocol reference D5 rule 3): all but the replay. Throws Refused. */
export function shownKey({ scheme, token, proofs }: Credentials, request: PresentedRequest, options: ProofOptions): ShownKey {
  return scheme === 'DPoP' ? byDpop(token, proofs, request, options) : byCertificate(request.certificate);
}

/** RFC 9449 §4.3, with `ath` (item 12). */
function byDpop(token: string, proofs: readonly string[], { method, url }: PresentedRequest, { nonces, ...options }: ProofOptions): ShownKey {
  try {
    const check = dpop({ ...options, endpoint: url, nonces: nonces ?? noNonces });
    const { key, use, ath, freshNonce } = check(proofs, method, nonces !== undefined);
    if (ath !== createHash('sha256').update(token).digest('base64url'))
      throw new OAuthError('invalid_dpop_proof', 'ath of the DPoP proof is not the hash of the access token', { reason: 'proof_ath_mismatch' });
    const confirms = ({ method }: Candidate) => method !== 'x5t#S256';
    return { thumbprint: key.jkt, confirms, use, ...(freshNonce !== undefined && { freshNonce }) };
  } catch (fault) {
    if (!(fault instanceof OAuthError)) throw fault;
    const nonce = fault.code === 'use_dpop_nonce' ? nonces?.current() : undefined;
    throw new Refused({
      error: nonce === undefined ? 'invalid_dpop_proof' : 'use_dpop_nonce',
      description: fault.message,
      reason: fault.reason,
      of: ['DPoP'],
      cause: fault.cause,
      ...(nonce !== undefined && { dpopNonce: nonce }),
    });
  }
}

/** The certificate of the connection; that its key was proven is the handshake's work, so its chain does not matter here (RFC 8705 §3). */
function byCertificate(certificate: PresentedRequest['certificate']): ShownKey {
  if (certificate === undefined || certificate.length === 0)
    throw invalidToken('the access token is bound to a key, which was not proven in this request', 'token_as_bearer');
  let der: Buffer;
  try {
    der = new X509Certificate(certificate).raw;
  } catch (cause) {
    throw invalidToken('the client certificate is malformed', 'certificate_malformed', cause);
  }
  return { thumbprint: createHash('sha256').update(der).digest('base64url'), confirms: ({ method }) => method === 'x5t#S256' };
}

const noNonces: DpopNonces = { current: () => '', check: () => ({ valid: false }) };
