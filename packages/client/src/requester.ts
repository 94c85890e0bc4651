import { authenticate, refuseSecretInBrowser } from './authentication.ts';
import { fromBase64, sha256 } from './base64url.ts';
import { checkHolderOptions } from './check-options.ts';
import { clockOffsets } from './clock-offset.ts';
import { HolderError } from './holder-error.ts';
import type { HolderKey } from './keys/holder-key.ts';
import { openKey } from './keys/open-key.ts';
import { serverMetadata } from './metadata.ts';
import { nonces } from './nonces.ts';
import { authenticationOf, type HolderOptions, issuerOf } from './options.ts';
import type { Requester } from './token-request.ts';
import { transport } from './transport.ts';

/** Opens the keys and collects what token requests need. Throws HolderError. */
export async function requesterOf(options: HolderOptions): Promise<Requester> {
  checkHolderOptions(options);
  const { clientId, clock = Date.now, timeout = 10_000, certificate } = options;
  const issuer = issuerOf(options);
  const authentication = authenticationOf(options);
  refuseSecretInBrowser(authentication);
  const owner = { issuer: options.issuer, clientId };
  const alg = options.alg ?? 'ES256';
  // With only a certificate, there is nothing to sign unless the client authenticates by a key.
  const needsKey =
    certificate === undefined ||
    options.key !== undefined ||
    (authentication.method === 'private_key_jwt' && authentication.key === undefined);
  const key = needsKey ? await openKey(options.key, alg, owner) : undefined;
  const send = transport(options.fetch, options.dispatcher);
  return {
    clientId,
    metadata: serverMetadata({ issuer, send, timeout, clock }),
    authenticate: await authenticationBy(authentication, key, options, owner),
    key,
    certificateThumbprint: certificate === undefined ? undefined : await x5tS256(certificate),
    mutualTls: certificate !== undefined || authentication.method.includes('tls_client_auth'),
    nonces: nonces(options.nonces),
    offsets: clockOffsets(clock),
    send,
    timeout,
    allowInsecureRequests: options.allowInsecureRequests,
    clock,
  };
}

async function authenticationBy(
  authentication: ReturnType<typeof authenticationOf>,
  key: HolderKey | undefined,
  { alg = 'ES256', kid }: HolderOptions,
  owner: Parameters<typeof openKey>[2],
) {
  if (authentication.method !== 'private_key_jwt') return authenticate(authentication, key);
  if (authentication.key !== undefined)
    return authenticate(authentication, await openKey(authentication.key, alg, owner));
  return authenticate({ ...(kid !== undefined && { kid }), ...authentication }, key);
}

async function x5tS256(certificate: string | Uint8Array): Promise<string> {
  if (typeof certificate !== 'string') return sha256(new Uint8Array(certificate));
  const [, base64] =
    /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END/.exec(certificate) ?? [];
  if (base64 === undefined)
    throw new HolderError('invalid_options', 'certificate is neither PEM nor DER');
  return sha256(fromBase64(base64.replace(/\s/g, '')));
}
