import * as oauth from 'oauth4webapi';
import { type AdditionalHolder, reqAltCnf } from './additional-holders.ts';
import type { Authenticate } from './authentication.ts';
import type { ClockOffsets } from './clock-offset.ts';
import { HolderError } from './holder-error.ts';
import { type IssuedToken, issuedToken, type TokenAnswer } from './issued-token.ts';
import type { HolderKey } from './keys/holder-key.ts';
import type { Nonces } from './nonces.ts';
import { refusePlainHttp } from './options.ts';
import { proofOption } from './proof.ts';
import { refusal } from './token-refusal.ts';
import { askServer, type Send } from './transport.ts';

/** The requesting client and its means. */
export interface Requester {
  readonly clientId: string;
  readonly metadata: () => Promise<oauth.AuthorizationServer>;
  readonly authenticate: Authenticate;
  /** The key that tokens are bound to; undefined if they are bound only to a certificate. */
  readonly key: HolderKey | undefined;
  /** `x5t#S256` of the certificate that tokens are bound to, instead of the key. */
  readonly certificateThumbprint: string | undefined;
  /** True: authentication or binding uses a certificate, so mutual-TLS endpoints are used. */
  readonly mutualTls: boolean;
  readonly nonces: Nonces;
  readonly offsets: ClockOffsets;
  readonly send: Send;
  readonly timeout: number;
  readonly allowInsecureRequests: boolean | undefined;
  readonly clock: () => number;
}

/** The request for a token. */
export interface TokenRequest {
  readonly grantType: string;
  readonly target: { readonly resource?: string | undefined; readonly scope?: string | undefined };
  readonly parameters?: Readonly<Record<string, string>>;
  /** A bound token that this request exchanges; the proof names it in `ath`. */
  readonly boundToken?: string | undefined;
  readonly additionalHolders: readonly AdditionalHolder[];
}

/** Maximum repetitions of a request because of a nonce, and because of the clock. */
const repeats = { nonce: 2, clock: 1 };

/** Obtains a token. Throws HolderError. */
export async function requestToken(
  requester: Requester,
  request: TokenRequest,
): Promise<IssuedToken> {
  const answer = await requestAnswer(requester, request);
  if (request.additionalHolders.length > 0 && !namesSeveralKeys(answer))
    throw new HolderError('token_not_bound', 'the token does not name the additional holders');
  const { key, certificateThumbprint, clock } = requester;
  return issuedToken(answer, { key, byCertificate: certificateThumbprint !== undefined }, clock());
}

/** Sends a request to the token endpoint and returns the response. Throws HolderError. */
export async function requestAnswer(
  requester: Requester,
  request: TokenRequest,
): Promise<TokenAnswer> {
  const server = await requester.metadata();
  const endpoint = endpointOf(server, requester);
  const left = { ...repeats };
  for (;;) {
    const sentAt = requester.clock();
    const response = await sent(server, endpoint, requester, request);
    const nonce = requester.nonces.see(endpoint, response.headers);
    const clockWasOff = requester.offsets.see(endpoint, response.headers, sentAt);
    if (response.status === 200) return answerOf(server, response, requester);
    const refused = await refusal(response);
    if (refused.error === 'use_dpop_nonce' && nonce && left.nonce-- > 0) continue;
    // `iat` of a proof, or `exp` of an assertion; error codes differ between servers.
    if (clockWasOff && response.status < 500 && left.clock-- > 0) continue;
    throw refused;
  }
}

function endpointOf(server: oauth.AuthorizationServer, requester: Requester): URL {
  const { token_endpoint: plain, mtls_endpoint_aliases: aliases } = server;
  const uri = (requester.mutualTls ? aliases?.token_endpoint : undefined) ?? plain;
  if (uri === undefined || !URL.canParse(uri))
    throw new HolderError(
      'server_metadata_invalid',
      'the metadata of the authorization server name no token endpoint',
    );
  const url = new URL(uri);
  refusePlainHttp(url, requester.allowInsecureRequests);
  return url;
}

async function sent(
  server: oauth.AuthorizationServer,
  endpoint: URL,
  requester: Requester,
  { grantType, target, parameters, boundToken, additionalHolders }: TokenRequest,
): Promise<Response> {
  const { clientId, key, certificateThumbprint, nonces, offsets, send } = requester;
  const nonce = nonces.of(endpoint);
  const form = new URLSearchParams(parameters);
  for (const name of ['resource', 'scope'] as const) {
    const value = target[name];
    if (value !== undefined) form.set(name, value);
  }
  if (additionalHolders.length > 0) {
    const { resource, scope } = target;
    const { thumbprint } = key ?? {};
    const asking = { clientId, thumbprint, certificateThumbprint, resource, scope, nonce };
    form.set('req_alt_cnf', await reqAltCnf(additionalHolders, asking));
  }
  const iat = offsets.seconds(endpoint);
  const proof =
    key === undefined || certificateThumbprint !== undefined
      ? {}
      : await proofOption(key, { method: 'POST', url: endpoint, token: boundToken, nonce, iat });
  return oauth.genericTokenEndpointRequest(
    server,
    { client_id: clientId, use_mtls_endpoint_aliases: requester.mutualTls },
    requester.authenticate(() => offsets.seconds(endpoint)),
    grantType,
    form,
    {
      ...proof,
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (url, init) => askServer(send, url, init),
      signal: AbortSignal.timeout(requester.timeout),
    },
  );
}

async function answerOf(
  server: oauth.AuthorizationServer,
  response: Response,
  { clientId }: Requester,
): Promise<TokenAnswer> {
  try {
    const answer = await oauth.processGenericTokenEndpointResponse(
      server,
      { client_id: clientId },
      response,
      { recognizedTokenTypes: { pop: () => undefined, n_a: () => undefined } },
    );
    return answer as unknown as TokenAnswer;
  } catch {
    throw new HolderError(
      'token_response_invalid',
      'the answer of the token endpoint is not one of RFC 6749 section 5.1',
    );
  }
}

/** `alt_cnf`, or the form that has all keys in `cnf.jwks`. */
function namesSeveralKeys({ alt_cnf, cnf }: Readonly<Record<string, unknown>>): boolean {
  return alt_cnf !== undefined || (cnf as { jwks?: unknown } | undefined)?.jwks !== undefined;
}
