import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { JwkSetConfirmation } from '../../domain/confirmation.ts';
import { readPublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';
import { registeredThumbprint } from '../confirmation/kid.ts';

/**
 * The holder whose key (RFC 7638 thumbprint) or certificate (SHA-256 thumbprint) confirms the
 * token, or undefined. A thumbprint of one kind never matches the other (docs/protocol.md).
 */
export type FindPresenter = (
  shown: 'key' | 'certificate',
  thumbprint: string,
  claims: AccessTokenClaims,
) => Promise<string | undefined>;

export interface FindPresenterOptions extends Pick<Ports, 'issuedTokens'> {
  readonly issuer: string;
}

interface Named {
  readonly presenter: string;
  readonly thumbprint: string | undefined;
}

/** Finds the presenter among the keys in the token; `kid` and `jku` are resolved now. */
export function findPresenter({ issuer, issuedTokens }: FindPresenterOptions): FindPresenter {
  /** A `kid` can move to another key, so it must still name the key that was bound. */
  const named = async (
    name: { readonly kid: string; readonly jku?: string },
    jti: string,
  ): Promise<string | undefined> => {
    const state = await issuedTokens.state(jti);
    const thumbprint = state?.client && registeredThumbprint(name, state.client, issuer);
    return thumbprint === state?.jkt ? thumbprint : undefined;
  };
  const keys = async ({
    cnf,
    alt_cnf = [],
    client_id,
    jti,
  }: AccessTokenClaims): Promise<readonly Named[]> => {
    if (cnf.jwks !== undefined)
      return cnf.jwks.keys.map(({ client_id: presenter = '', ...jwk }) => ({
        presenter,
        thumbprint: readPublicKey(jwk).jkt,
      }));
    const own = cnf.kid === undefined ? thumbprintIn(cnf) : await named(cnf, jti);
    return [
      { presenter: client_id, thumbprint: own },
      ...alt_cnf.map((entry) => ({
        presenter: entry.client_id,
        thumbprint: thumbprintIn(entry.cnf),
      })),
    ];
  };
  const certificates = ({ cnf, alt_cnf = [], client_id }: AccessTokenClaims): readonly Named[] =>
    [{ client_id, cnf }, ...alt_cnf].map((entry) => ({
      presenter: entry.client_id,
      thumbprint: entry.cnf['x5t#S256'],
    }));
  return async (shown, thumbprint, claims) => {
    const [match, ...more] = (shown === 'key' ? await keys(claims) : certificates(claims)).filter(
      (one) => one.thumbprint === thumbprint,
    );
    return more.length === 0 ? match?.presenter : undefined;
  };
}

/** Thumbprint of a key that the confirmation itself identifies. */
function thumbprintIn({
  jkt,
  jwk,
}: Exclude<AccessTokenClaims['cnf'], JwkSetConfirmation>): string | undefined {
  return jwk === undefined ? jkt : readPublicKey(jwk).jkt;
}
