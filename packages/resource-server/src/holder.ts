import type { Candidate } from './candidates.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { ShownKey } from './proof.ts';
import { invalidToken } from './refusal.ts';

/** Finds the holder of the proven key by its thumbprint (docs/protocol.md). Throws Refused. */
export async function holderOf(
  shown: ShownKey,
  candidates: readonly Candidate[],
  keys: IssuerKeys,
): Promise<Candidate> {
  const matches: Candidate[] = [];
  for (const candidate of candidates.filter(shown.confirms)) {
    const { thumbprint, presenter, registered, jwe } = candidate;
    const named =
      registered === undefined
        ? thumbprint
        : await registeredThumbprint(presenter, registered, keys);
    // The symmetric key was taken from this candidate.
    if (jwe !== undefined || named === shown.thumbprint) matches.push(candidate);
  }
  const [match, ...more] = matches;
  if (match === undefined || more.length > 0)
    throw invalidToken(
      'the access token is not bound to the key that was proven in this request',
      'key_mismatch',
    );
  return match;
}

/** A key of the holder by `kid`; `jku` must be where the issuer publishes it (RFC 7800 §3.5). */
async function registeredThumbprint(
  presenter: string,
  { kid, jku }: { readonly kid: string; readonly jku?: string },
  keys: IssuerKeys,
) {
  if (jku !== undefined && jku !== keys.clientJwksUri(presenter)) return undefined;
  return (await keys.clientKey(presenter, kid))?.jkt;
}
