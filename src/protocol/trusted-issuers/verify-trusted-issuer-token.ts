import { keyNamingMembers } from '../../domain/confirmation-methods.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type {
  TrustedIssuerTokenFault,
  TrustedIssuerTokenUse,
} from '../../domain/refusals/trusted-issuer-tokens.ts';
import { type TrustedIssuer, trustDomainOf } from '../../domain/trusted-issuer.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import {
  isSignedBy,
  type JwsLimits,
  type ParsedJws,
  parseCompactJws,
} from '../../jose/compact-jws.ts';
import { isNumericDate } from '../../jose/numeric-date.ts';
import { readPublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { IssuerKeys } from './issuer-keys.ts';

/** What tokens of trusted issuers are checked against. Times in seconds. */
export interface VerifyTrustedIssuerTokenOptions extends Pick<Ports, 'trustedIssuers' | 'clock'> {
  readonly keys: IssuerKeys;
  /** The issuer identifier of this server: the audience for issuers without another. */
  readonly issuer: string;
  readonly algs: readonly SigningAlgorithm[];
  readonly clockTolerance: number;
}

/** A token of a trusted issuer, verified for one use. */
export interface TrustedIssuerToken {
  readonly issuer: TrustedIssuer;
  readonly jws: ParsedJws;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** Thumbprint of the key that the token itself is bound to (RFC 7800 §3.1). */
  readonly boundTo: string | undefined;
}

/** Verifies a token for this use. Throws an OAuthError of that use. */
export type VerifyTrustedIssuerToken = (
  text: string,
  use: TrustedIssuerTokenUse,
) => Promise<TrustedIssuerToken>;

/** Characters of each part; ID tokens carry a user's profile. */
const limits: JwsLimits = { header: 2048, payload: 16_384, signature: 6400 };

/**
 * Explicit types that each may have; others are different kinds of JWT (RFC 8725 §3.11). `JOSE` is
 * for JWT-SVIDs (SPIFFE JWT-SVID §2.3).
 */
const types: Readonly<Record<TrustedIssuerTokenUse, ReadonlySet<unknown>>> = {
  id_token: new Set([undefined, 'jwt', 'dpop+id_token']),
  platform_token: new Set([undefined, 'jwt', 'jose']),
  grant_assertion: new Set([undefined, 'jwt', 'jose']),
  id_jag: new Set(['oauth-id-jag+jwt']),
};

/** Maximum seconds from `iat` to `exp` of a platform's token, unless its issuer says otherwise. */
const defaultMaxLifetime = 86_400;

/** Checks form, issuer, signature, audience and times. */
export function verifyTrustedIssuerToken(
  options: VerifyTrustedIssuerTokenOptions,
): VerifyTrustedIssuerToken {
  return async (text, use) => {
    const refuse = (fault: TrustedIssuerTokenFault, cause?: unknown): never => {
      throw new OAuthError(`${use}_${fault}`, { cause });
    };
    let jws: ParsedJws;
    try {
      jws = parseCompactJws(text, limits);
    } catch (cause) {
      return refuse('malformed', cause);
    }
    const { typ, kid } = jws.header;
    if (!types[use].has(typeof typ === 'string' ? typ.toLowerCase() : typ)) refuse('typ_mismatch');
    const issuer = await findIssuer(jws.payload, options);
    const purpose = use === 'id_token' || use === 'id_jag' ? use : 'workload';
    if (issuer === undefined || !issuer.purposes.includes(purpose))
      return refuse('issuer_not_trusted');
    if (kid !== undefined && typeof kid !== 'string') return refuse('kid_invalid');
    const algs = issuer.algorithms ?? options.algs;
    const signer = await options.keys.signer(issuer, kid, (key) => isSignedBy(jws, key, algs));
    if (signer === undefined) refuse('signature_invalid');
    // A logout token may lack a `typ` (OpenID Connect Back-Channel Logout §2.4); the tokens
    // accepted here have no `events` (RFC 8417 §4).
    if ('events' in jws.payload) refuse('is_event');
    const { fault, expiresAt } = checkClaims(jws.payload, issuer, use, options);
    if (fault !== undefined) refuse(fault);
    const boundTo = boundKey(jws.payload['cnf'], refuse);
    return { issuer, jws, claims: jws.payload, expiresAt, boundTo };
  };
}

/** Finds an issuer by `iss`, else by the trust domain in `sub`: a JWT-SVID needs no `iss`. */
async function findIssuer(
  { iss, sub }: Readonly<Record<string, unknown>>,
  { trustedIssuers }: VerifyTrustedIssuerTokenOptions,
): Promise<TrustedIssuer | undefined> {
  // An issuer identifier is a URL; nothing else is looked up.
  const named =
    typeof iss === 'string' && /^[\x21-\x7e]+$/.test(iss)
      ? await trustedIssuers.findTrustedIssuer(iss)
      : undefined;
  const domain = typeof sub === 'string' ? trustDomainOf(sub) : undefined;
  if (named?.issuer.startsWith('spiffe://') === true)
    return named.issuer === domain ? named : undefined;
  if (named !== undefined || domain === undefined) return named;
  return trustedIssuers.findTrustedIssuer(domain);
}

function checkClaims(
  { aud, exp, iat, nbf }: Readonly<Record<string, unknown>>,
  issuer: TrustedIssuer,
  use: TrustedIssuerTokenUse,
  options: VerifyTrustedIssuerTokenOptions,
): { readonly fault?: TrustedIssuerTokenFault; readonly expiresAt: number } {
  const now = options.clock() / 1000;
  const latest = now + options.clockTolerance;
  // An ID-JAG is for this server, whatever an app is named at its issuer.
  const ours = use === 'id_jag' ? undefined : issuer.audience;
  const expected = [ours ?? options.issuer].flat();
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const refused = (fault: TrustedIssuerTokenFault) => ({ fault, expiresAt: 0 });
  // Any other audience holds the same token and may not be trustworthy.
  if (audiences.length === 0 || !audiences.every((one) => expected.some((each) => each === one)))
    return refused('aud_mismatch');
  if (!isNumericDate(exp) || exp <= now) return refused('expired');
  const starts = [iat, nbf].filter((start) => start !== undefined);
  if (!starts.every((start) => isNumericDate(start) && start <= latest))
    return refused('not_yet_valid');
  const longest =
    issuer.max_lifetime ?? (use === 'id_token' ? Number.POSITIVE_INFINITY : defaultMaxLifetime);
  if (exp - (isNumericDate(iat) ? iat : now) > longest) return refused('lifetime_too_long');
  return { expiresAt: Math.floor(exp) };
}

/** The thumbprint of the only key in `cnf`; a second one would leave open which is bound. */
function boundKey(
  cnf: unknown,
  refuse: (fault: TrustedIssuerTokenFault) => never,
): string | undefined {
  if (cnf === undefined) return undefined;
  const members = (cnf ?? {}) as { readonly jkt?: unknown; readonly jwk?: unknown };
  if (keyNamingMembers.filter((member) => Object.hasOwn(members, member)).length !== 1)
    return refuse('cnf_unknown');
  const { jkt, jwk } = members;
  if (typeof jkt === 'string') return jkt;
  try {
    return readPublicKey(jwk).jkt;
  } catch {
    return refuse('cnf_unknown');
  }
}
