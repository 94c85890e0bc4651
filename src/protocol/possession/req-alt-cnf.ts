import { OAuthError } from '../../domain/oauth-error.ts';
import { parseStrictJson } from '../../jose/strict-json.ts';

/** An element of `req_alt_cnf`: a `cnf-proof+jwt`, or the `kid` of a registered key of a holder. */
export type RequestedHolder =
  | { readonly proof: string; readonly clientId?: never }
  | { readonly clientId: string; readonly kid: string };

/** Characters of `req_alt_cnf`; three proofs by ML-DSA-87 keys have some 22,000. */
const maxLength = 32_768;

/** Reads `req_alt_cnf` (docs/protocol.md): an array of 1 to `max`. Throws `invalid_request`. */
export function readReqAltCnf(text: string, max: number): readonly RequestedHolder[] {
  const elements = parseArray(text);
  if (elements.length === 0) throw new OAuthError('req_alt_cnf_empty');
  if (elements.length > max) throw new OAuthError('req_alt_cnf_too_many');
  return elements.map(readElement);
}

function parseArray(text: string): readonly unknown[] {
  if (text.length > maxLength) throw new OAuthError('req_alt_cnf_too_long');
  try {
    // The strict parser reads objects; a second member means that the text closed the array itself.
    const { holders, ...more } = parseStrictJson(`{"holders":${text}}`);
    if (Array.isArray(holders) && Object.keys(more).length === 0) return holders;
  } catch {
    // Refused below.
  }
  throw new OAuthError('req_alt_cnf_not_json');
}

function readElement(element: unknown): RequestedHolder {
  if (hasExactly(element, ['proof']) && typeof element['proof'] === 'string')
    return { proof: element['proof'] };
  if (hasExactly(element, ['client_id', 'cnf'])) {
    const { client_id: clientId, cnf } = element;
    if (
      typeof clientId === 'string' &&
      clientId !== '' &&
      hasExactly(cnf, ['kid']) &&
      typeof cnf['kid'] === 'string'
    )
      return { clientId, kid: cnf['kid'] };
  }
  throw new OAuthError('req_alt_cnf_element_malformed');
}

function hasExactly(
  value: unknown,
  members: readonly string[],
): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return (
    Object.keys(value).length === members.length &&
    members.every((member) => Object.hasOwn(value, member))
  );
}
