import type { ClientRegistration } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import { singleUse } from '../../domain/single-use.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import { type ParsedJws, parseCompactJws } from '../../jose/compact-jws.ts';
import { isNumericDate } from '../../jose/numeric-date.ts';
import { type ConsentOptions, consentClaims } from './consent-claims.ts';
import type { DpopNonces } from './dpop-nonce.ts';

/** What a `cnf-proof+jwt` is checked against. */
export interface CnfProofOptions extends ConsentOptions {
  readonly nonces: DpopNonces;
  readonly algs: readonly SigningAlgorithm[];
}

/** The request that a proof must have been made for. */
export interface ProofContext {
  readonly requester: ClientRegistration;
  /** The requester's key, proven in this request. */
  readonly boundKey: ProvenKey;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly nonceRequired: boolean;
}

/** A proof whose signature is still unchecked; `iss` only says whose keys to try. */
export interface UnverifiedCnfProof {
  readonly jws: ParsedJws;
  readonly iss: string;
  readonly kid: string;
}

/** Header members that carry a key; the key must be a registered one. */
const keyBearing = ['jwk', 'jku', 'x5u', 'x5c'];

/** Parses a proof to learn its issuer (docs/protocol.md). Throws `failed_pop_verification`. */
export function readCnfProof(text: string): UnverifiedCnfProof {
  let jws: ParsedJws;
  try {
    jws = parseCompactJws(text);
  } catch (cause) {
    throw new OAuthError('cnf_proof_malformed', { cause });
  }
  const { typ, kid } = jws.header;
  if (typ !== 'cnf-proof+jwt') throw new OAuthError('cnf_proof_typ_mismatch');
  if (keyBearing.some((member) => member in jws.header))
    throw new OAuthError('cnf_proof_brings_key');
  if (typeof kid !== 'string' || kid === '') throw new OAuthError('cnf_proof_kid_missing');
  const { iss } = jws.payload;
  if (typeof iss !== 'string' || iss === '') throw new OAuthError('cnf_proof_iss_missing');
  return { jws, iss, kid };
}

/**
 * Checks that a proof with a valid signature consents to exactly this request (docs/protocol.md),
 * except for replay, which the commit checks. Throws `failed_pop_verification` or `use_dpop_nonce`.
 */
export function checkCnfProof(
  { jws, iss }: UnverifiedCnfProof,
  context: ProofContext,
  options: CnfProofOptions,
): { readonly use: SingleUse; readonly byCertificate: boolean } {
  const { cnf_method: method = 'jkt', consent_exp, resource, scope } = jws.payload;
  if ('sub' in jws.payload) throw new OAuthError('cnf_proof_has_sub');
  const { requester, boundKey } = context;
  const { jti, acceptable } = consentClaims(
    'cnf_proof',
    jws.payload,
    { clientId: requester.client_id, boundKey },
    options,
  );
  if (method !== 'jkt' && method !== 'x5t#S256') throw new OAuthError('cnf_proof_method_unknown');
  if (
    consent_exp !== undefined &&
    !(isNumericDate(consent_exp) && consent_exp > options.clock() / 1000)
  )
    throw new OAuthError('cnf_proof_consent_expired');
  if (resource !== undefined && !(Array.isArray(resource) && resource.includes(context.audience)))
    throw new OAuthError('cnf_proof_resource_mismatch');
  if (
    scope !== undefined &&
    !(
      typeof scope === 'string' &&
      context.scopes.every((wanted) => scope.split(' ').includes(wanted))
    )
  )
    throw new OAuthError('cnf_proof_scope_exceeded');
  if (context.nonceRequired && !options.nonces.check(jws.payload['nonce']).valid)
    throw new OAuthError('cnf_proof_nonce');
  return {
    use: singleUse('cnf_proof', iss, '', jti, acceptable),
    byCertificate: method === 'x5t#S256',
  };
}
