import { hash } from 'node:crypto';
import { type ClientRegistration, names } from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { SingleUse } from '../../domain/single-use.ts';
import { type Acceptable, singleUse } from '../../domain/single-use.ts';
import type { TrustedIssuer } from '../../domain/trusted-issuer.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import {
  isSignedBy,
  type JwsLimits,
  type ParsedJws,
  parseCompactJws,
} from '../../jose/compact-jws.ts';
import { type PublicKey, readPublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { RegisteredKeys } from '../client-keys/registered-keys.ts';
import type { ReadSubjectToken } from './subject-token.ts';

/** What an ID token is checked against. Times in seconds. */
export interface SubjectIdTokenOptions
  extends Pick<Ports, 'currentClients' | 'trustedIssuers' | 'clock'> {
  readonly keys: RegisteredKeys;
  readonly algs: readonly SigningAlgorithm[];
  readonly clockTolerance: number;
  /** From `iat`. */
  readonly maxAge: number;
}

/** Characters of each part; ID tokens carry a user's profile. */
const limits: JwsLimits = { header: 2048, payload: 16_384, signature: 6400 };

/**
 * Explicit types that an ID token may have; another one is another kind of JWT (RFC 8725 §3.11).
 */
const idTokenTypes: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'dpop+id_token']);

/**
 * An ID token of a trusted OpenID provider as subject token (OpenID Connect Core §3.1.3.7): fresh,
 * exchanged once, with a proof if it is bound. The app checks `nonce`, `at_hash` and `c_hash`,
 * which only it can know.
 */
export function subjectIdToken(options: SubjectIdTokenOptions): ReadSubjectToken {
  return async (token, client) => {
    const jws = parse(token);
    const { typ } = jws.header;
    if (!idTokenTypes.has(typeof typ === 'string' ? typ.toLowerCase() : typ))
      throw new OAuthError('id_token_typ_mismatch');
    const { iss } = jws.payload;
    // An issuer identifier is a URL; nothing else is looked up.
    const issuer =
      typeof iss === 'string' && /^[\x21-\x7e]+$/.test(iss)
        ? await options.trustedIssuers.findTrustedIssuer(iss)
        : undefined;
    if (issuer === undefined) throw new OAuthError('id_token_issuer_not_trusted');
    if (issuer.clients !== undefined && !names(issuer.clients, issuer.listed, client))
      throw new OAuthError('id_token_client_not_allowed');
    await checkSignature(jws, issuer, options);
    // A logout token may lack a `typ` (OpenID Connect Back-Channel Logout §2.4); an ID token has no
    // `events` (RFC 8417 §4).
    if ('events' in jws.payload) throw new OAuthError('id_token_is_event');
    const { subject, expiresAt, acceptable } = checkClaims(jws.payload, issuer, options);
    // A user must not pass for a client where only `sub` is looked at (RFC 9700 §4.15).
    if ((await options.currentClients.findClient(subject)) !== undefined)
      throw new OAuthError('id_token_sub_is_a_client');
    const bound = boundKey(jws.payload['cnf']);
    const use = useOf(jws, issuer, acceptable);
    return {
      subject,
      ofUser: true,
      expiresAt,
      authority: issuer.id,
      use,
      entitlement: bound === undefined ? {} : { keys: [bound] },
    };
  };
}

async function checkSignature(
  jws: ParsedJws,
  { jwks_uri }: TrustedIssuer,
  { keys, algs }: SubjectIdTokenOptions,
): Promise<void> {
  const { kid } = jws.header;
  if (kid !== undefined && typeof kid !== 'string') throw new OAuthError('id_token_kid_invalid');
  let signer: PublicKey | undefined;
  try {
    signer = await keys.signer({ jwks_uri } as ClientRegistration, kid, (key) =>
      isSignedBy(jws, key, algs),
    );
  } catch (cause) {
    throw new OAuthError('issuer_keys_unavailable', { cause });
  }
  if (signer === undefined) throw new OAuthError('id_token_signature_invalid');
}

function checkClaims(
  { sub, aud, azp, exp, iat, nbf }: Record<string, unknown>,
  { audience, subject_prefix = '' }: TrustedIssuer,
  { clock, clockTolerance, maxAge }: SubjectIdTokenOptions,
): { readonly subject: string; readonly expiresAt: number; readonly acceptable: Acceptable } {
  const now = clock() / 1000;
  const time = (value: unknown): value is number =>
    typeof value === 'number' && Number.isFinite(value);
  if (typeof sub !== 'string' || sub === '' || sub.length > 255 || sub.includes('\0'))
    throw new OAuthError('id_token_sub_invalid');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  // Another audience is not known to be trusted, and it holds the same ID token.
  if (audiences.length === 0 || audiences.some((one) => one !== audience))
    throw new OAuthError('id_token_aud_mismatch');
  if ((audiences.length > 1 || azp !== undefined) && azp !== audience)
    throw new OAuthError('id_token_azp_mismatch');
  if (!time(exp) || exp <= now) throw new OAuthError('id_token_expired');
  if (
    !time(iat) ||
    iat > now + clockTolerance ||
    (nbf !== undefined && !(time(nbf) && nbf <= now + clockTolerance))
  )
    throw new OAuthError('id_token_not_yet_valid');
  if (iat + maxAge <= now) throw new OAuthError('id_token_too_old');
  const acceptable = {
    from: iat - clockTolerance,
    until: Math.min(exp, iat + maxAge) + clockTolerance,
  };
  return { subject: subject_prefix + sub, expiresAt: Math.floor(exp), acceptable };
}

/** By `jti`, else by the signing input; anybody can make a second valid ECDSA signature. */
function useOf(
  { payload: { jti }, signingInput }: ParsedJws,
  { issuer }: TrustedIssuer,
  acceptable: Acceptable,
): SingleUse {
  if (jti === undefined)
    return singleUse(
      'id_token',
      issuer,
      'signing input',
      hash('sha256', signingInput, 'base64url'),
      acceptable,
    );
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw new OAuthError('id_token_jti_invalid');
  return singleUse('id_token', issuer, 'jti', jti, acceptable);
}

/** The key that the ID token itself is bound to (RFC 7800 §3.1), if any. */
function boundKey(cnf: unknown): string | undefined {
  if (cnf === undefined) return undefined;
  const { jkt, jwk } = (cnf ?? {}) as { readonly jkt?: unknown; readonly jwk?: unknown };
  if (typeof jkt === 'string') return jkt;
  try {
    return readPublicKey(jwk).jkt;
  } catch {
    throw new OAuthError('id_token_cnf_unknown');
  }
}

function parse(token: string): ParsedJws {
  try {
    return parseCompactJws(token, limits);
  } catch (cause) {
    throw new OAuthError('id_token_malformed', { cause });
  }
}
