import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import { type Acceptable, singleUse } from '../../domain/single-use.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import { type ParsedJws, parseCompactJws } from '../../jose/compact-jws.ts';
import type { DpopNonces } from './dpop-nonce.ts';

/** What a `cnf-proof+jwt` is checked against. Times in seconds. */
export interface CnfProofOptions {
  readonly clock: Clock;
  readonly nonces: DpopNonces;
  /** The only acceptable `aud`. */
  readonly issuer: string;
  readonly algs: readonly SigningAlgorithm[];
  readonly maxLifetime: number;
  readonly clockTolerance: number;
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

/** A proof whose signature is still unchecked; `iss` only says whose keys to look at. */
export interface UnverifiedCnfProof {
  readonly jws: ParsedJws;
  readonly iss: string;
  readonly kid: string;
}

/** Members of a header that bring a key along; the key must be a registered one. */
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
  const { aud, client_id, cnf, cnf_method: method = 'jkt', jti, resource, scope } = jws.payload;
  if ('sub' in jws.payload) throw new OAuthError('cnf_proof_has_sub');
  if (aud !== options.issuer) throw new OAuthError('cnf_proof_aud_mismatch');
  if (client_id !== context.requester.client_id) throw new OAuthError('cnf_proof_client_mismatch');
  if (!namesKey(cnf, context.boundKey)) throw new OAuthError('cnf_proof_key_mismatch');
  if (method !== 'jkt' && method !== 'x5t#S256') throw new OAuthError('cnf_proof_method_unknown');
  const acceptable = checkTimes(jws.payload, options);
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw new OAuthError('cnf_proof_jti_invalid');
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

// `cnf` of the proof names the requester's key, so a stolen proof is useless with another key.
function namesKey(cnf: unknown, { key, 'x5t#S256': certificate }: ProvenKey): boolean {
  if (typeof cnf !== 'object' || cnf === null) return false;
  const [member, ...more] = Object.entries(cnf);
  const expected = certificate === undefined ? ['jkt', key?.jkt] : ['x5t#S256', certificate];
  return more.length === 0 && member?.[0] === expected[0] && member?.[1] === expected[1];
}

function checkTimes(
  { iat, exp, nbf, consent_exp }: Record<string, unknown>,
  { clock, maxLifetime, clockTolerance }: CnfProofOptions,
): Acceptable {
  const now = clock() / 1000;
  const time = (value: unknown): value is number =>
    typeof value === 'number' && Number.isFinite(value);
  if (!time(iat) || !time(exp)) throw new OAuthError('cnf_proof_times_missing');
  if (exp - iat > maxLifetime || exp <= iat) throw new OAuthError('cnf_proof_lifetime');
  if (exp + clockTolerance <= now) throw new OAuthError('cnf_proof_expired');
  if (
    iat > now + clockTolerance ||
    (nbf !== undefined && !(time(nbf) && nbf <= now + clockTolerance))
  )
    throw new OAuthError('cnf_proof_not_yet_valid');
  if (consent_exp !== undefined && !(time(consent_exp) && consent_exp > now))
    throw new OAuthError('cnf_proof_consent_expired');
  return { from: iat - clockTolerance, until: exp + clockTolerance };
}
