import { fromBase64 } from './base64url.ts';
import { HolderError } from './holder-error.ts';
import type { HolderKey } from './keys/holder-key.ts';
import { type PublicJwk, thumbprintOf } from './keys/public-jwk.ts';

/**
 * How a token is presented: by a DPoP proof, by a certificate, or by the MAC of a symmetric key.
 */
export type Presentation =
  | { readonly scheme: 'DPoP' }
  | { readonly scheme: 'Bearer' }
  | { readonly scheme: 'PoP'; readonly mac: Uint8Array<ArrayBuffer>; readonly kid?: string };

/** An access token as issued. `accessToken` is hidden when it is printed or converted to JSON. */
export interface Token {
  readonly accessToken: string;
  /** As the server named it: `DPoP`, `Bearer` (bound to a certificate) or `PoP`. */
  readonly tokenType: string;
  /** Milliseconds since the epoch by this machine's clock; undefined if the server did not say. */
  readonly expiresAt: number | undefined;
  readonly scope: string | undefined;
}

/** A token with everything needed to present and renew it. */
export interface IssuedToken extends Token {
  readonly presentation: Presentation;
  /** When to get a new one; milliseconds since the epoch. */
  readonly renewAt: number;
}

/** The server's response, in oauth4webapi's form: `token_type` is in lower case. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
  readonly [member: string]: unknown;
}

const names: Readonly<Record<string, string>> = { dpop: 'DPoP', bearer: 'Bearer', pop: 'PoP' };

/** A token that this holder can present; throws HolderError if it is not bound to the holder. */
export async function issuedToken(
  answer: TokenAnswer,
  holder: { readonly key: HolderKey | undefined; readonly byCertificate: boolean },
  now: number,
): Promise<IssuedToken> {
  const lifetime = answer.expires_in === undefined ? undefined : answer.expires_in * 1000;
  return hidden(answer.access_token, {
    tokenType: names[answer.token_type] ?? answer.token_type,
    expiresAt: lifetime === undefined ? undefined : now + lifetime,
    scope: answer.scope,
    presentation: await presentationOf(answer, holder),
    // Shortly before expiry: half a minute, or a tenth of a short lifetime.
    renewAt: lifetime === undefined ? Number.POSITIVE_INFINITY : now + lifetime - margin(lifetime),
  });
}

const margin = (lifetime: number) => Math.min(30_000, lifetime / 10);

/** Makes the token readable, but keeps it out of logs when printed. Throws HolderError. */
export function hidden(accessToken: string, more: Omit<IssuedToken, 'accessToken'>): IssuedToken {
  // RFC 6750 §2.1. An error about an invalid header field would quote the token.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(accessToken))
    throw new HolderError(
      'token_response_invalid',
      'the access token has characters that no access token may have',
    );
  const token = { ...more } as IssuedToken;
  Object.defineProperty(token, 'accessToken', { value: accessToken, enumerable: false });
  return token;
}

async function presentationOf(
  { token_type, cnf }: TokenAnswer,
  { key, byCertificate }: Parameters<typeof issuedToken>[1],
): Promise<Presentation> {
  const { jkt, jwk, jwe, 'x5t#S256': x5t } = (cnf ?? {}) as Readonly<Record<string, unknown>>;
  if (token_type === 'bearer' || x5t !== undefined) {
    if (byCertificate) return { scheme: 'Bearer' };
    throw notBound('the server answered a token that is not bound to the key of this holder');
  }
  if (token_type !== 'dpop' && token_type !== 'pop')
    throw notBound('the server answered a token of a type that this holder does not know');
  if (jwe !== undefined)
    throw notBound('the symmetric key of the token is encrypted, and not for this holder');
  const shared = symmetricKey(jwk);
  if (shared !== undefined) return shared;
  if (key === undefined) throw notBound('the token needs a key, and this holder has none');
  // `jwk`, `kid` and `jku` also name the proven key: all are presented with a DPoP proof.
  const named = jwk === undefined ? jkt : await thumbprintOf(jwk as PublicJwk);
  if (named !== undefined && named !== key.thumbprint)
    throw notBound('the server bound the token to another key');
  return { scheme: 'DPoP' };
}

function symmetricKey(jwk: unknown): Presentation | undefined {
  const { kty, k, kid } = (jwk ?? {}) as Readonly<Record<string, unknown>>;
  if (kty !== 'oct' || typeof k !== 'string') return undefined;
  return { scheme: 'PoP', mac: fromBase64(k), ...(typeof kid === 'string' && { kid }) };
}

function notBound(message: string): HolderError {
  return new HolderError('token_not_bound', message);
}
