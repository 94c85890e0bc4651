import { decodeProtectedHeader } from 'jose/decode/protected_header';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { Ports } from '../../ports/ports.ts';
import { thumbprints } from '../access-token/confirmed-thumbprints.ts';
import type { TokenStatus } from '../access-token/token-status.ts';
import type { VerifyAccessToken } from '../access-token/verify-access-token.ts';

export interface OwnAccessTokenOptions extends Pick<Ports, 'clock'> {
  readonly verify: VerifyAccessToken;
  readonly tokenStatus: TokenStatus;
}

/** An active access token of this server: its claims, state, and the keys of `cnf`. */
export interface OwnAccessToken {
  readonly claims: AccessTokenClaims;
  readonly state: NonNullable<Awaited<ReturnType<TokenStatus>>>;
  /** Thumbprints. */
  readonly keys: readonly string[];
  /** Of the key that signed it. */
  readonly kid: string;
}

/** Verifies a token from this parameter. Throws `invalid_request`. */
export async function ownAccessToken(
  token: string,
  parameter: 'subject_token' | 'actor_token',
  { verify, tokenStatus, clock }: OwnAccessTokenOptions,
): Promise<OwnAccessToken> {
  const claims = await verify(token);
  if (claims === undefined) throw new OAuthError(`${parameter}_not_ours`);
  if (claims.exp <= clock() / 1000) throw new OAuthError(`${parameter}_expired`);
  const state = await tokenStatus(token, claims);
  if (state === undefined) throw new OAuthError(`${parameter}_not_in_force`);
  // `kid` and `jku` do not say which key it was; the record of the issuance does.
  const named = thumbprints(claims.cnf, claims.client_id);
  const keys = named.length > 0 || state.jkt === undefined ? named : [state.jkt];
  return { claims, state, keys, kid: String(decodeProtectedHeader(token).kid) };
}
