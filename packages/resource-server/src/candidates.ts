import { readPublicKey } from '../../../src/jose/public-key.ts';
import type { AccessTokenClaims } from './claims.ts';
import type { Reason } from './reasons.ts';
import { invalidToken } from './refusal.ts';
import { type VerifiableMethod, verifiableMethods } from './verifiable-methods.ts';

/** A key that may confirm the token, and its holder. */
export type Candidate = {
  /** `client_id` of the holder. */
  readonly presenter: string;
  readonly method: VerifiableMethod;
} & (
  | {
      /** RFC 7638 thumbprint of the key, or for `x5t#S256` that of the certificate. */
      readonly thumbprint: string;
      readonly registered?: never;
      readonly jwe?: never;
    }
  | {
      readonly thumbprint?: never;
      /** A registered key of the presenter, to be looked up. */
      readonly registered: { readonly kid: string; readonly jku?: string };
      readonly jwe?: never;
    }
  | {
      readonly thumbprint?: never;
      readonly registered?: never;
      /** A symmetric key, encrypted to this resource server. */
      readonly jwe: string;
    }
);

/** The claims that the issuer is trusted to use, and whether symmetric keys can be decrypted. */
export interface SeveralKeys {
  readonly altCnf: boolean;
  readonly jwks: boolean;
  readonly jwe: boolean;
  /** The maximum number of additional holders. */
  readonly max: number;
}

type Members = Readonly<Record<string, unknown>>;

const sha256 = /^[A-Za-z0-9_-]{43}$/;

/**
 * Every key that confirms the token, `cnf` first (docs/protocol.md). A malformed `cnf` or `alt_cnf`
 * refuses the whole token, because an entry that only some resource servers skip can be exploited.
 * Throws Refused.
 */
export function candidatesOf(
  claims: AccessTokenClaims,
  several: SeveralKeys,
): readonly Candidate[] {
  const { client_id, cnf, alt_cnf: altCnf } = claims;
  if (!isObject(cnf)) throw refused('cnf_missing');
  if ('jwks' in cnf && several.jwks) {
    if (altCnf !== undefined || methodsOf(cnf).length !== 1) throw refused('cnf_malformed');
    return distinct(keySet(cnf['jwks'], client_id, several.max), claims);
  }
  const own = 'jwe' in cnf && several.jwe ? symmetric(cnf, claims) : primary(cnf, client_id);
  // Without this trust in the issuer alt_cnf is an unknown claim, and only cnf counts.
  if (!several.altCnf || altCnf === undefined) return [own];
  if (!Array.isArray(altCnf) || altCnf.length === 0 || altCnf.length > several.max)
    throw refused('alt_cnf_malformed');
  // A party with the symmetric key could impersonate the other holders (docs/protocol.md).
  if (own.method === 'jwe') throw refused('cnf_malformed');
  return distinct([own, ...altCnf.map(entry)], claims);
}

/** A party that knows the key can impersonate the client, so it needs a single audience. */
function symmetric(cnf: Members, { client_id: presenter, aud }: AccessTokenClaims): Candidate {
  const { jwe } = cnf;
  if (
    methodsOf(cnf).length !== 1 ||
    typeof jwe !== 'string' ||
    (Array.isArray(aud) && aud.length > 1)
  )
    throw refused('cnf_malformed');
  return { presenter, method: 'jwe', jwe };
}

function primary(cnf: Members, presenter: string): Candidate {
  const { kid, jku } = cnf;
  const [method, ...more] = methodsOf(cnf);
  if (more.length > 0 || method === undefined) throw refused('cnf_malformed');
  if (method === 'kid' || method === 'jku') {
    if (typeof kid !== 'string' || kid === '' || (method === 'jku' && typeof jku !== 'string'))
      throw refused('cnf_malformed');
    return { presenter, method, registered: { kid, ...(typeof jku === 'string' && { jku }) } };
  }
  return { presenter, ...direct(method, cnf[method]) };
}

function entry(value: unknown): Candidate {
  if (
    !isObject(value) ||
    typeof value['client_id'] !== 'string' ||
    value['client_id'] === '' ||
    !isObject(value['cnf'])
  )
    throw refused('alt_cnf_malformed');
  const [method, ...more] = methodsOf(value['cnf']);
  if (more.length > 0 || method === undefined) throw refused('alt_cnf_malformed');
  return { presenter: value['client_id'], ...direct(method, value['cnf'][method]) };
}

/** A key that the token contains or names by its thumbprint. */
function direct(
  method: VerifiableMethod,
  value: unknown,
): { readonly method: VerifiableMethod; readonly thumbprint: string } {
  if (
    (method === 'jkt' || method === 'x5t#S256') &&
    typeof value === 'string' &&
    sha256.test(value)
  )
    return { method, thumbprint: value };
  if (method === 'jwk') return { method, thumbprint: thumbprintOf(value) };
  throw refused('cnf_method_unsupported');
}

/** `cnf.jwks`: `kid` of each key is its thumbprint, `client_id` its holder (docs/protocol.md). */
function keySet(value: unknown, client_id: string, max: number): readonly Candidate[] {
  const keys = isObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > max + 1)
    throw refused('cnf_malformed');
  const candidates = keys.map((key: unknown): Candidate => {
    if (!isObject(key)) throw refused('cnf_malformed');
    const { client_id: presenter, ...jwk } = key;
    const thumbprint = thumbprintOf(jwk);
    if (typeof presenter !== 'string' || presenter === '' || jwk['kid'] !== thumbprint)
      throw refused('cnf_malformed');
    return { presenter, method: 'jwks', thumbprint };
  });
  if (!candidates.some(({ presenter }) => presenter === client_id)) throw refused('cnf_malformed');
  return candidates;
}

function thumbprintOf(jwk: unknown): string {
  try {
    return readPublicKey(jwk).jkt;
  } catch (cause) {
    throw invalidToken(
      'the access token names no key that can be verified here',
      'cnf_key_unusable',
      cause,
    );
  }
}

/**
 * The known confirmation methods in `cnf`; unknown members are ignored (RFC 7800 §3.1), and `kid`
 * beside `jku` is part of `jku` (§3.5).
 */
function methodsOf(cnf: Members): readonly VerifiableMethod[] {
  return verifiableMethods.filter(
    (method) => Object.hasOwn(cnf, method) && !(method === 'kid' && Object.hasOwn(cnf, 'jku')),
  );
}

/** Refuses repeated holders or keys and several audiences, which leave the presenter ambiguous. */
function distinct(
  candidates: readonly Candidate[],
  { aud }: AccessTokenClaims,
): readonly Candidate[] {
  const holders = new Set(candidates.map(({ presenter }) => presenter));
  const keys = new Set(
    candidates.map(({ method, thumbprint, registered }) =>
      JSON.stringify([method === 'x5t#S256', thumbprint ?? registered]),
    ),
  );
  if (holders.size < candidates.length || keys.size < candidates.length)
    throw refused('alt_cnf_repeated');
  if (Array.isArray(aud) && aud.length > 1) throw refused('alt_cnf_several_audiences');
  return candidates;
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(reason: Reason) {
  return invalidToken('the access token names no key that can be verified here', reason);
}
