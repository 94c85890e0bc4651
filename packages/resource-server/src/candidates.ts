import { readPublicKey } from '../../../src/jose/public-key.ts';
import type { AccessTokenClaims } from './claims.ts';
import { invalidToken } from './refusal.ts';

/** Confirmation methods that can be verified here; `jwks` is the set of several keys inside `cnf`. */
export type VerifiableMethod = 'jkt' | 'x5t#S256' | 'jwk' | 'kid' | 'jku' | 'jwks' | 'jwe';

/** A key that may confirm the token, and whose it is. */
export type Candidate = {
  /** `client_id` of the holder. */
  readonly presenter: string;
  readonly method: VerifiableMethod;
} & (
  | {
      /** RFC 7638 thumbprint of the key, or of the certificate for `x5t#S256`. */ readonly thumbprint: string;
      readonly registered?: never;
      readonly jwe?: never;
    }
  | {
      readonly thumbprint?: never /** A registered key of the presenter, to be looked up. */;
      readonly registered: { readonly kid: string; readonly jku?: string };
      readonly jwe?: never;
    }
  | {
      readonly thumbprint?: never;
      readonly registered?: never /** A symmetric key, encrypted to this resource server. */;
      readonly jwe: string;
    }
);

/** What the issuer is trusted to say of several keys, and whether symmetric ones can be opened. */
export interface SeveralKeys {
  readonly altCnf: boolean;
  readonly jwks: boolean;
  readonly jwe: boolean;
  /** Most holders beside the client that asked for the token. */
  readonly max: number;
}

type Members = Readonly<Record<string, unknown>>;

/** Confirmation methods that are registered, or of this project; `kid` beside `jku` is part of it (RFC 7800 §3.5). */
const known = ['jkt', 'x5t#S256', 'jwk', 'kid', 'jku', 'jwks', 'jwe'];
const sha256 = /^[A-Za-z0-9_-]{43}$/;

/**
 * Every key that confirms the token, `cnf` first (protocol reference D5 rules 2 and 4). Anything odd in `cnf` or `alt_cnf` refuses the whole token:
 * an entry that one recipient skips and another takes is a difference to attack. Throws Refused.
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
  // To a recipient that does not trust the issuer to say this, alt_cnf is an unknown claim: only the client's own key counts.
  if (!several.altCnf || altCnf === undefined) return [own];
  if (!Array.isArray(altCnf) || altCnf.length === 0 || altCnf.length > several.max)
    throw refused('alt_cnf_malformed');
  // Its holder could pass for the other holders, and they never agreed to that (protocol reference D8).
  if (own.method === 'jwe') throw refused('cnf_malformed');
  return distinct([own, ...altCnf.map(entry)], claims);
}

/** Whoever knows the key can pass for the client at all that take it: one audience (protocol reference D8). */
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

/** A key that the token names by itself. */
function direct(
  method: string,
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

/** The form `jwks`: each key with `kid` = its thumbprint and its holder in `client_id` (product decision 5). */
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

/** The members of a confirmation that say how, with `kid` counted as part of `jku`; members of unknown meaning are ignored (RFC 7800 §3.1). */
function methodsOf(cnf: Members): readonly string[] {
  return known.filter(
    (method) => Object.hasOwn(cnf, method) && !(method === 'kid' && Object.hasOwn(cnf, 'jku')),
  );
}

/** Every holder and every key once, and one audience: else the token does not say who presents it (protocol reference D3.1). */
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

function refused(reason: string) {
  return invalidToken('the access token names no key that can be verified here', reason);
}
