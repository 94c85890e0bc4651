import * as oauth from 'oauth4webapi';
import { randomJti, sha256 } from './base64url.ts';
import { signedJwt } from './jws.ts';
import type { HolderKey } from './keys/holder-key.ts';

/** The request that a DPoP proof is for (RFC 9449 §4.2). */
export interface ProofFor {
  readonly method: string;
  readonly url: URL;
  /** The token whose hash goes into `ath`. */
  readonly token?: string | undefined;
  readonly nonce?: string | undefined;
  /** Seconds since the epoch. */
  readonly iat: number;
}

/** Adds a proof to a request of oauth4webapi: a key that it signs with, or a proof created here. */
export type ProofOption =
  | { readonly DPoP: oauth.DPoPHandle; readonly headers?: never }
  | { readonly DPoP?: never; readonly headers: { readonly dpop: string } };

/** A proof for one request, created by oauth4webapi if it can sign with the key. */
export async function proofOption(key: HolderKey, details: ProofFor): Promise<ProofOption> {
  const { nonce, iat, token } = details;
  if (key.pair === undefined) return { headers: { dpop: await dpopProof(key, details) } };
  const ath = token === undefined ? undefined : await sha256(token);
  return {
    DPoP: oauth.DPoP({}, key.pair, {
      [oauth.modifyAssertion]: (_header, claims) => {
        claims['iat'] = iat;
        if (nonce !== undefined) claims['nonce'] = nonce;
        // A proof for a token request has `ath` if a bound token is exchanged.
        if (ath !== undefined) claims['ath'] = ath;
      },
    }),
  };
}

/** A proof in compact form (RFC 9449 §4.2). */
export async function dpopProof(
  key: Pick<HolderKey, 'alg' | 'publicJwk' | 'sign'>,
  { method, url, token, nonce, iat }: ProofFor,
): Promise<string> {
  const claims = {
    jti: randomJti(),
    htm: method,
    htu: `${url.origin}${url.pathname}`,
    iat,
    nonce,
    ath: token === undefined ? undefined : await sha256(token),
  };
  return signedJwt({ typ: 'dpop+jwt', jwk: key.publicJwk }, claims, key);
}
