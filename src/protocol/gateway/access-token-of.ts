import { OAuthError } from '../../domain/oauth-error.ts';
import type { PresentedProof } from '../introspection/verify-presented-proof.ts';
import type { ForwardedRequest } from './forwarded-request.ts';

/** An access token and the proofs that came with it. */
export interface PresentedToken {
  readonly token: string;
  readonly proof: PresentedProof;
}

/**
 * Reads token and proof: `DPoP` with one proof (RFC 9449 §7.1), `Bearer` with a certificate
 * (RFC 8705 §3). A key-bound token in the other scheme would be a bearer token. Throws OAuthError.
 */
export function accessTokenOf(
  { authorization, dpop, certificate, method: htm }: ForwardedRequest,
  htu: string,
): PresentedToken {
  const [field, ...more] = authorization;
  if (more.length > 0) throw new OAuthError('authorization_repeated');
  const [, scheme = '', token] = /^([A-Za-z][A-Za-z0-9-]*)(?: +(.*))?$/.exec(field ?? '') ?? [];
  const name = scheme.toLowerCase();
  if (name !== 'dpop' && name !== 'bearer') throw new OAuthError('access_token_missing');
  if (token === undefined || !/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    throw new OAuthError('authorization_malformed');
  if (name === 'dpop') {
    if (dpop.length === 0) throw new OAuthError('token_as_bearer');
    return { token, proof: { dpopProofs: dpop, htm, htu } };
  }
  if (dpop.length > 0) throw new OAuthError('proof_of_other_scheme');
  const shown = certificate();
  if (shown === undefined) throw new OAuthError('token_as_bearer');
  return { token, proof: { certificateThumbprint: shown['x5t#S256'] } };
}
