import { Refused, type Scheme } from './refusal.ts';

/**
 * Header fields of a request. Prefer Node's `rawHeaders` (name, value, name, value, …), which keep
 * repeated fields apart; Node's `headers` object drops a repeated `Authorization`.
 */
export type HeaderFields =
  | readonly string[]
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The access token of a request and its proofs. */
export interface Credentials {
  readonly scheme: Scheme;
  readonly token: string;
  /** Every value of the scheme's own field, `DPoP` or `PoP`. */
  readonly proofs: readonly string[];
}

/** Reads the access token from `Authorization` (RFC 9449 §7.1, RFC 6750 §2.1). Throws Refused. */
export function readCredentials(headers: HeaderFields, schemes: readonly Scheme[]): Credentials {
  const [authorization, ...more] = fieldValues(headers, 'authorization');
  if (more.length > 0)
    throw new Refused({
      error: 'invalid_request',
      description: 'there is more than one Authorization header field',
      reason: 'authorization_repeated',
    });
  const [, name = '', token] =
    /^([A-Za-z][A-Za-z0-9-]*)(?: +(.*))?$/.exec(authorization ?? '') ?? [];
  const scheme = schemes.find((known) => known.toLowerCase() === name.toLowerCase());
  if (scheme === undefined) throw new Refused({ reason: 'token_missing' });
  if (token === undefined || !/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    throw new Refused({
      error: 'invalid_request',
      description: 'the Authorization header field is malformed',
      reason: 'authorization_malformed',
    });
  // A request proves one key; with two proofs it would be ambiguous which one counts.
  const others = schemes.filter((other) => other !== 'Bearer' && other !== scheme);
  if (others.some((other) => fieldValues(headers, other.toLowerCase()).length > 0))
    throw new Refused({
      error: 'invalid_request',
      description: 'a proof goes with the authentication scheme of its name',
      reason: 'proof_of_other_scheme',
    });
  return {
    scheme,
    token,
    proofs: scheme === 'Bearer' ? [] : fieldValues(headers, scheme.toLowerCase()),
  };
}

/** All values of a field in order, empty ones included. */
function fieldValues(headers: HeaderFields, name: string): readonly string[] {
  if (Array.isArray(headers)) {
    const raw = headers as readonly string[];
    return raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);
  }
  if (headers instanceof Headers) {
    const value = headers.get(name);
    return value === null ? [] : [value];
  }
  return Object.entries(
    headers as Readonly<Record<string, string | readonly string[] | undefined>>,
  ).flatMap(([field, value]) => (field.toLowerCase() === name && value !== undefined ? value : []));
}
