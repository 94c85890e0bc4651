import * as oauth from 'oauth4webapi';
import { randomJti, sha256 } from './base64url.ts';
import type { ClockOffsets } from './clock-offset.ts';
import { HolderError } from './holder-error.ts';
import type { IssuedToken, Presentation } from './issued-token.ts';
import { signedJwt } from './jws.ts';
import type { HolderKey } from './keys/holder-key.ts';
import type { Nonces } from './nonces.ts';
import { proofOption } from './proof.ts';
import type { Send } from './transport.ts';

/** What is needed to present tokens. */
export interface Presenting {
  readonly key: HolderKey | undefined;
  readonly nonces: Nonces;
  readonly offsets: ClockOffsets;
}

/** A response and its challenges (RFC 9110 §11.6.1). */
export interface Presented {
  readonly response: Response;
  readonly challenges: readonly oauth.WWWAuthenticateChallenge[];
}

/** Sends one request with token and proof; `send` gets it in its final form. */
export async function present(
  { key, nonces, offsets }: Presenting,
  { accessToken, presentation }: IssuedToken,
  request: { readonly method: string; readonly url: URL; readonly headers: Headers },
  send: Send,
): Promise<Presented> {
  const { method, url } = request;
  const details = {
    method,
    url,
    token: accessToken,
    nonce: nonces.of(url),
    iat: offsets.seconds(url),
  };
  let headers = request.headers;
  let DPoP: oauth.DPoPHandle | undefined;
  if (presentation.scheme === 'DPoP') {
    if (key === undefined) throw new HolderError('invalid_options', 'this holder has no key');
    const proof = await proofOption(key, details);
    DPoP = proof.DPoP;
    if (proof.headers !== undefined) headers = withField(headers, 'dpop', proof.headers.dpop);
  }
  if (presentation.scheme === 'PoP')
    headers = withField(headers, 'pop', await macProof(presentation, details));
  return challenged(
    oauth.protectedResourceRequest(accessToken, method, url, headers, undefined, {
      ...(DPoP !== undefined && { DPoP }),
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (target, { headers: fields }) => {
        if (presentation.scheme === 'PoP') fields['authorization'] = `PoP ${accessToken}`;
        return send(target, { headers: fields });
      },
    }),
  );
}

/** The challenges of a response that was received by other means. */
export async function challengesOf(
  answer: Response,
): Promise<readonly oauth.WWWAuthenticateChallenge[]> {
  const { challenges } = await challenged(
    oauth.protectedResourceRequest(
      'none',
      'GET',
      new URL('https://holder.invalid'),
      new Headers(),
      null,
      {
        [oauth.customFetch]: async () => answer,
      },
    ),
  );
  return challenges;
}

async function challenged(request: Promise<Response>): Promise<Presented> {
  try {
    return { response: await request, challenges: [] };
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError)
      return { response: error.response, challenges: error.cause };
    throw error;
  }
}

function withField(headers: Headers, name: string, value: string): Headers {
  const more = new Headers(headers);
  more.set(name, value);
  return more;
}

interface MacProofFor {
  readonly method: string;
  readonly url: URL;
  readonly token: string;
  readonly nonce: string | undefined;
  readonly iat: number;
}

/** A DPoP proof by the key inside the token instead (HS256, `typ` `pop+jwt`). */
async function macProof(
  { mac, kid }: Extract<Presentation, { scheme: 'PoP' }>,
  { method, url, token, nonce, iat }: MacProofFor,
): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', mac, algorithm, false, ['sign']);
  const htu = `${url.origin}${url.pathname}`;
  return signedJwt(
    { typ: 'pop+jwt', kid },
    { jti: randomJti(), htm: method, htu, iat, nonce, ath: await sha256(token) },
    {
      alg: 'HS256',
      sign: async (input) => new Uint8Array(await crypto.subtle.sign('HMAC', key, input)),
    },
  );
}
