import { X509Certificate } from 'node:crypto';
import { parseStrictJson } from '../../../src/jose/strict-json.ts';
import type { Credentials } from './credentials.ts';
import { discover } from './discover.ts';
import { fetchJson } from './fetch-json.ts';
import type { IntrospectionOptions, PresentedRequest } from './options.ts';
import type { Reason } from './reasons.ts';
import { invalidToken, Refused } from './refusal.ts';

/** A token and proof that were already checked here, and the holder of the key. */
export interface PresentedToken {
  readonly credentials: Credentials;
  readonly request: PresentedRequest;
  /** `client_id` of the holder. */
  readonly presenter: string;
}

/**
 * Asks the issuer whether the token is active and its proof is used for the first time. The issuer
 * marks the proof as used. Throws Refused, with 503 if there is no clear answer.
 */
export type Introspect = (presented: PresentedToken) => Promise<void>;

interface IntrospectOptions {
  readonly issuer: string;
  readonly fetch: typeof globalThis.fetch;
  readonly onFetchFailure?: (uri: string, failure: Error) => void;
}

/** Builds the introspection request (RFC 7662) with proof for one issuer. */
export function introspection(
  { clientId, clientSecret, endpoint }: IntrospectionOptions,
  { issuer, fetch, onFetchFailure }: IntrospectOptions,
): Introspect {
  const account = [clientId, clientSecret].map(encodeURIComponent).join(':');
  const headers = {
    authorization: `Basic ${Buffer.from(account).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };
  let discovered: Promise<string> | undefined;
  const ask = async (form: Readonly<Record<string, string>>): Promise<Answer> => {
    try {
      discovered ??= discover(fetch, issuer, 'introspection_endpoint');
      const { body } = await fetchJson(fetch, endpoint ?? (await discovered), {
        method: 'POST',
        headers,
        body: new URLSearchParams(form).toString(),
      });
      return parseStrictJson(Buffer.from(body ?? []).toString('utf8'));
    } catch (cause) {
      discovered = undefined;
      if (cause instanceof Error) onFetchFailure?.(endpoint ?? issuer, cause);
      throw unknown('introspection_unavailable', cause);
    }
  };
  return async (presented) => {
    const proof = proofOf(presented);
    const answer = await ask({ token: presented.credentials.token, ...proof });
    checkAnswer(answer, presented, proof !== undefined);
  };
}

type Answer = Readonly<Record<string, unknown>>;

/** The parameters of introspection with proof; a proof by a symmetric key is checked here only. */
function proofOf({ credentials, request }: PresentedToken): Record<string, string> | undefined {
  const [proof] = credentials.proofs;
  if (credentials.scheme === 'DPoP' && proof !== undefined)
    // The query is not part of `htu` (RFC 9449 §4.2) and may be confidential.
    return { dpop_proof: proof, htm: request.method, htu: request.url.replace(/[?#].*$/s, '') };
  const { certificate } = request;
  if (credentials.scheme === 'Bearer' && certificate !== undefined)
    return { client_certificate: new X509Certificate(certificate).toString() };
  return undefined;
}

function checkAnswer(
  { active, proof }: Answer,
  { credentials: { scheme }, presenter }: PresentedToken,
  proven: boolean,
): void {
  const verdict = typeof proof === 'object' && proof !== null ? (proof as Answer) : {};
  if (typeof verdict['nonce'] === 'string')
    throw new Refused({
      error: 'use_dpop_nonce',
      description: 'a nonce is required',
      reason: reasonOf(verdict),
      of: [scheme],
      dpopNonce: verdict['nonce'],
    });
  if (active === false)
    throw invalidToken('the access token is not active any more', 'token_inactive');
  if (active !== true) throw unknown('introspection_malformed');
  if (!proven) return;
  // Servers without introspection with proof do not mark the proof as used.
  if (typeof verdict['valid'] !== 'boolean') throw unknown('introspection_without_proof');
  if (verdict['valid'] && verdict['presenter'] === presenter) return;
  const reason = verdict['valid'] ? 'key_mismatch' : reasonOf(verdict);
  if (scheme !== 'DPoP' || reason === 'key_mismatch')
    throw invalidToken('the access token is not bound to the key that was proven', reason);
  throw new Refused({
    error: 'invalid_dpop_proof',
    description:
      reason === 'proof_replayed'
        ? 'the proof was used before'
        : 'the issuer does not accept the proof',
    reason,
    of: [scheme],
  });
}

/** The issuer's reason; a newer issuer may have others. */
function reasonOf(verdict: Answer): Reason {
  return String(verdict['reason']) as Reason;
}

/** Fail closed: the proof may have been used elsewhere. */
function unknown(reason: Reason, cause?: unknown): Refused {
  return new Refused({
    error: 'temporarily_unavailable',
    description: 'the issuer cannot be asked now',
    reason,
    cause,
  });
}
