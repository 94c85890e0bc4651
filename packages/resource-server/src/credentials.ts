import { Refused, type Scheme } from './refusal.ts';

/**
 * Header fields of a request. Best are Node's `rawHeaders` (name, value, name, value, …), where repeated fields can be counted; a Fetch `Headers`
 * joins them, which is refused as well. Node's `headers` object has dropped a repeated `Authorization` already.
 */
export type HeaderFields =
  | readonly string[]
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The token of a request and what came with it. */
export interface Credentials {
  readonly scheme: Scheme;
  readonly token: string;
  /** Every value of the scheme's own field, `DPoP` or `PoP`. */
  readonly proofs: readonly string[];
}

/** Reads the one access token of a request from its `Authorization` field (RFC 9449 §7.1, RFC 6750 §2.1), of these schemes. Throws Refused. */
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
  // One way to prove a key in a request: a second one would leave open which of the two counts (protocol reference D5).
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

/** All values of a field, in order, an empty one too. */
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
