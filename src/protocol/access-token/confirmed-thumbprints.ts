import { readPublicKey } from '../../jose/public-key.ts';

/** A confirmation that was read from a token: any of the forms that this server issues. */
interface IssuedConfirmation {
  readonly jkt?: string;
  readonly 'x5t#S256'?: string;
  readonly jwk?: unknown;
  readonly jwks?: {
    readonly keys: readonly { readonly kid?: string; readonly client_id?: string }[];
  };
}

/** Thumbprints (RFC 7638, or of a certificate) in a confirmation; of a set only this holder's. */
export function thumbprints(cnf: object, holder: string): readonly string[] {
  const { jkt, 'x5t#S256': certificate, jwk, jwks } = cnf as IssuedConfirmation;
  const ofSet =
    jwks?.keys.filter(({ client_id }) => client_id === holder).map(({ kid }) => kid) ?? [];
  return [
    jkt,
    certificate,
    jwk === undefined ? undefined : readPublicKey(jwk).jkt,
    ...ofSet,
  ].filter((name) => name !== undefined);
}
