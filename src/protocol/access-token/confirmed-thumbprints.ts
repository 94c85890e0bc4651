import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { readPublicKey } from '../../jose/public-key.ts';

/** Thumbprints (RFC 7638 or certificate) in a confirmation; from a key set, only this holder's. */
export function thumbprints(cnf: AccessTokenClaims['cnf'], holder: string): readonly string[] {
  const { jkt, 'x5t#S256': certificate, jwk, jwks } = cnf;
  const ofSet =
    jwks?.keys.filter(({ client_id }) => client_id === holder).map(({ kid }) => kid) ?? [];
  return [
    jkt,
    certificate,
    jwk === undefined ? undefined : readPublicKey(jwk).jkt,
    ...ofSet,
  ].filter((name) => name !== undefined);
}
