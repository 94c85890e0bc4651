import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Proof } from '../../domain/proven-key.ts';
import { type Acceptable, singleUse } from '../../domain/single-use.ts';
import type { SigningAlgorithm } from '../../jose/algorithms.ts';
import {
  isSignedBy,
  type ParsedJws,
  parseCompactJws,
  proofLimits,
} from '../../jose/compact-jws.ts';
import { isNumericDate } from '../../jose/numeric-date.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import { verifiedHeaderCache } from '../../jose/verified-header-cache.ts';
import { type RegisteredKeys, refuseIfBusy } from '../client-keys/registered-keys.ts';

/** What a client assertion is checked against. Times in seconds. */
export interface PrivateKeyJwtOptions {
  readonly clock: Clock;
  readonly keys: RegisteredKeys;
  /** The only acceptable `aud` (rfc7523bis) unless the client is registered for others. */
  readonly issuer: string;
  /** URIs of the endpoint that is called: its own, and its alias for mutual TLS. */
  readonly endpoints: readonly string[];
  readonly algs: readonly SigningAlgorithm[];
  readonly maxLifetime: number;
  readonly clockTolerance: number;
}

/** Types that a client assertion may have; others are different kinds of JWT (RFC 8725 §3.11). */
const assertionTypes: ReadonlySet<unknown> = new Set([
  undefined,
  'jwt',
  'application/jwt',
  'client-authentication+jwt',
  'application/client-authentication+jwt',
]);

/** An assertion with an unchecked signature; `clientId` is only a hint for finding the key. */
export interface UnverifiedAssertion {
  readonly clientId: string;
  readonly kid: string | undefined;
  readonly jws: ParsedJws;
  /** The header as it was sent. */
  readonly encodedHeader: string;
}

/** 8 MiB: some 20,000 headers. */
const headers = verifiedHeaderCache(8 * 1024 * 1024);

/** Parses an assertion; checks type, and that `iss` and `sub` agree. Throws `invalid_client`. */
export function readAssertion(text: string): UnverifiedAssertion {
  const encodedHeader = text.slice(0, text.indexOf('.'));
  const jws = parse(text, headers.get(encodedHeader)?.header);
  const { typ, kid } = jws.header;
  if (!assertionTypes.has(typeof typ === 'string' ? typ.toLowerCase() : typ))
    throw new OAuthError('assertion_typ_mismatch');
  if (kid !== undefined && typeof kid !== 'string') throw new OAuthError('assertion_kid_invalid');
  const { iss, sub } = jws.payload;
  // A client_id is VSCHAR (RFC 6749 Appendix A.1), so no other name is looked up.
  if (typeof iss !== 'string' || !/^[\x20-\x7e]+$/.test(iss) || iss !== sub)
    throw new OAuthError('assertion_subject_mismatch');
  return { clientId: iss, kid, jws, encodedHeader };
}

/** Checks an assertion (RFC 7523 §3, rfc7523bis) except for replay. Throws `invalid_client`. */
export function privateKeyJwt(options: PrivateKeyJwtOptions) {
  return async (
    { jws, kid, encodedHeader }: UnverifiedAssertion,
    client: ClientRegistration,
  ): Promise<Proof> => {
    const algs =
      client.token_endpoint_auth_signing_alg === undefined
        ? options.algs
        : [client.token_endpoint_auth_signing_alg];
    const key = await verifyingKey(options.keys, client, { jws, kid }, algs);
    // Only headers of valid assertions are cached; the key is looked up every time.
    if (headers.get(encodedHeader) === undefined)
      headers.set(encodedHeader, { header: jws.header });
    const { jti, acceptable } = checkClaims(jws.payload, client, options);
    return {
      key,
      provenBy: 'client_assertion',
      use: singleUse('client_assertion', client.client_id, '', jti, acceptable),
    };
  };
}

async function verifyingKey(
  keys: RegisteredKeys,
  client: ClientRegistration,
  { jws, kid }: Pick<UnverifiedAssertion, 'jws' | 'kid'>,
  algs: readonly SigningAlgorithm[],
): Promise<PublicKey> {
  let fitting = false;
  const signed = (key: PublicKey) => {
    // Only keys that fit the algorithm are tried, which are one or two of a set at most.
    if (!key.algs.some((alg) => alg === jws.alg)) return false;
    fitting = true;
    return isSignedBy(jws, key, algs);
  };
  let key: PublicKey | undefined;
  try {
    key = await keys.signer(client, kid, signed);
  } catch (cause) {
    refuseIfBusy(cause);
    throw new OAuthError('assertion_keys_unavailable', { cause });
  }
  if (key === undefined)
    throw new OAuthError(fitting ? 'assertion_signature_invalid' : 'assertion_key_unknown');
  return key;
}

function checkClaims(
  { aud, jti, exp, iat, nbf }: Record<string, unknown>,
  client: ClientRegistration,
  options: PrivateKeyJwtOptions,
): { jti: string; acceptable: Acceptable } {
  const { clock, maxLifetime, clockTolerance } = options;
  const now = clock() / 1000;
  if (!isForThisServer(aud, client, options)) throw new OAuthError('assertion_aud_mismatch');
  if (!isNumericDate(exp)) throw new OAuthError('assertion_exp_invalid');
  if (exp <= now) throw new OAuthError('assertion_expired');
  if (exp > now + maxLifetime + clockTolerance) throw new OAuthError('assertion_exp_too_far');
  for (const start of [iat, nbf]) {
    if (start !== undefined && !(isNumericDate(start) && start <= now + clockTolerance))
      throw new OAuthError('assertion_not_yet_valid');
  }
  if (isNumericDate(iat) && iat < now - maxLifetime) throw new OAuthError('assertion_iat_too_old');
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    throw new OAuthError('assertion_jti_invalid');
  // The earliest time at which the assertion passes all checks above.
  const from = Math.max(
    exp - maxLifetime - clockTolerance,
    ...[iat, nbf].filter(isNumericDate).map((start) => start - clockTolerance),
  );
  return { jti, acceptable: { from, until: exp } };
}

/** `aud` has exactly one value; the registration decides which, and whether it may be an array. */
function isForThisServer(
  aud: unknown,
  { client_assertion_audiences: accepted }: ClientRegistration,
  { issuer, endpoints }: Pick<PrivateKeyJwtOptions, 'issuer' | 'endpoints'>,
): boolean {
  if (aud === issuer) return true;
  if (accepted === undefined) return false;
  const [only, ...more]: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (more.length > 0) return false;
  return only === issuer || (accepted === 'endpoint' && endpoints.some((uri) => uri === only));
}

function parse(text: string, known: ParsedJws['header'] | undefined): ParsedJws {
  try {
    return parseCompactJws(text, proofLimits, known);
  } catch (cause) {
    throw new OAuthError('assertion_malformed', { cause });
  }
}
