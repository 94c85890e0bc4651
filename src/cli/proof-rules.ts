import { calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose';
import { sha256 } from '../../packages/client/src/base64url.ts';
import type { CapturedRequest } from './captured-request.ts';
import { type JwtParts, jwtParts } from './jwt-parts.ts';

/** The result of one rule of RFC 9449 §4.3. */
export interface RuleResult {
  /** Number of the rule in RFC 9449 §4.3. */
  readonly rule: string;
  readonly about: string;
  readonly result: 'ok' | 'fault' | 'not checked';
  readonly found: string;
  readonly expected: string;
}

/** The expected properties of the request. */
export interface ProofExpectation {
  readonly method: string;
  readonly url: URL;
  readonly nonce: string | undefined;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Maximum seconds between `iat` and `now`. */
  readonly maxAge: number;
}

/** Checks the request against every rule of RFC 9449 §4.3; without a proof only the first ones. */
export async function proofRules(
  request: CapturedRequest,
  expected: ProofExpectation,
): Promise<readonly RuleResult[]> {
  const { proofs } = request;
  const one = rule('1', 'one DPoP field', proofs.length === 1, `${proofs.length}`, 'exactly 1');
  const [proof = ''] = proofs;
  const parts = jwtParts(proof);
  const jwt = rule(
    '2',
    'a single, well-formed JWT',
    parts?.claims !== undefined,
    parts?.claims === undefined ? `${proof.length} characters that are not a signed JWT` : 'a JWT',
    'header.claims.signature in base64url',
  );
  if (proofs.length === 0) return [one];
  if (parts?.claims === undefined) return [one, jwt];
  return [
    one,
    jwt,
    ...claimRules(parts.claims),
    ...headerRules(parts),
    await signatureRule(proof, parts),
    privateKeyRule(parts),
    ...requestRules(parts.claims, expected),
    ...(await tokenRules(request, parts)),
  ];
}

function claimRules(claims: NonNullable<JwtParts['claims']>): RuleResult[] {
  const types = { jti: 'string', htm: 'string', htu: 'string', iat: 'number' };
  return Object.entries(types).map(([name, type]) =>
    rule('3', `claim ${name}`, typeof claims[name] === type, shown(claims[name]), `a ${type}`),
  );
}

/** Algorithms that Holdfast and most servers accept; others are reported, not refused. */
const asymmetric = /^(ES|PS|RS)(256|384|512)$|^Ed(DSA|25519)$|^ML-DSA-(44|65|87)$/;

function headerRules({ header: { typ, alg } }: JwtParts): RuleResult[] {
  const known = typeof alg === 'string' && asymmetric.test(alg);
  return [
    rule('4', 'header typ', typ === 'dpop+jwt', shown(typ), '"dpop+jwt"'),
    rule('5', 'header alg', known, shown(alg), 'an asymmetric algorithm'),
  ];
}

async function signatureRule(proof: string, { header }: JwtParts): Promise<RuleResult> {
  const expected = 'a signature that verifies with the key in jwk';
  const { jwk, alg } = header as { readonly jwk?: JWK; readonly alg?: string };
  if (typeof jwk !== 'object' || jwk === null)
    return rule('6', 'signature', false, 'no jwk in the header', expected);
  try {
    await compactVerify(proof, await importJWK(publicPart(jwk), alg));
    return rule('6', 'signature', true, 'verifies', expected);
  } catch {
    return rule('6', 'signature', false, 'does not verify', expected);
  }
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

function publicPart(jwk: JWK): JWK {
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !privateMembers.includes(name)));
}

function privateKeyRule({ header: { jwk } }: JwtParts): RuleResult {
  const members = Object.keys(Object(jwk)).filter((name) => privateMembers.includes(name));
  const found = members.length === 0 ? 'none' : members.join(', ');
  return rule('7', 'private members in jwk', members.length === 0, found, 'none');
}

function requestRules(
  { htm, htu, nonce, iat }: NonNullable<JwtParts['claims']>,
  { method, url, nonce: wanted, now, maxAge }: ProofExpectation,
): RuleResult[] {
  const target = withoutQuery(url);
  const same =
    typeof htu === 'string' && URL.canParse(htu) && withoutQuery(new URL(htu)) === target;
  const age = typeof iat === 'number' ? Math.round(now - iat) : undefined;
  const ages = age === undefined ? shown(iat) : `${shown(iat)} (${age} s before the check)`;
  return [
    rule('8', 'htm', htm === method, shown(htm), shown(method)),
    rule('9', 'htu', same, shown(htu), shown(target)),
    wanted === undefined
      ? unchecked('10', 'nonce', shown(nonce), 'give --nonce if the server provided one')
      : rule('10', 'nonce', nonce === wanted, shown(nonce), shown(wanted)),
    rule(
      '11',
      'iat',
      age !== undefined && Math.abs(age) <= maxAge,
      ages,
      `at most ${maxAge} s from ${now}`,
    ),
  ];
}

async function tokenRules(request: CapturedRequest, parts: JwtParts): Promise<RuleResult[]> {
  const ath = parts.claims?.['ath'];
  const [credential, second] = request.credentials;
  if (credential === undefined)
    return [unchecked('12', 'ath', shown(ath), 'no access token in the request')];
  const { scheme, token } = credential;
  const hash = await sha256(token);
  const scheme7 = rule('§7.1', 'scheme', /^dpop$/i.test(scheme), shown(scheme), '"DPoP"');
  const count = `${request.credentials.length} Authorization fields`;
  return [
    ...(second === undefined ? [] : [rule('§7.1', 'Authorization', false, count, '1')]),
    scheme7,
    rule('12', 'ath', ath === hash, shown(ath), shown(hash)),
    await boundKeyRule(token, parts),
  ];
}

async function boundKeyRule(token: string, { header }: JwtParts): Promise<RuleResult> {
  const about = 'key of the token';
  const { jkt } = Object(jwtParts(token)?.claims?.['cnf']) as { readonly jkt?: unknown };
  const thumbprint = await calculateJwkThumbprint(Object(header['jwk']) as JWK).catch(
    () => undefined,
  );
  if (typeof jkt === 'string')
    return rule('12', about, jkt === thumbprint, shown(thumbprint), `cnf.jkt ${shown(jkt)}`);
  const found = thumbprint === undefined ? 'none' : `thumbprint ${shown(thumbprint)}`;
  return unchecked('12', about, found, 'the token does not show cnf.jkt: introspect it');
}

/** `htu` ignores query and fragment (RFC 9449 §4.3). */
function withoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function rule(
  number: string,
  about: string,
  ok: boolean,
  found: string,
  expected: string,
): RuleResult {
  return { rule: number, about, result: ok ? 'ok' : 'fault', found, expected };
}

function unchecked(number: string, about: string, found: string, expected: string): RuleResult {
  return { rule: number, about, result: 'not checked', found, expected };
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}
