import { type ClientRegistration, signatureJwks } from '../client-registration.ts';
import { gatedKeys } from '../jose/gated-keys.ts';
import type { ProvenKey } from '../proven-key.ts';
import type { Confirmation } from './confirmation.ts';

const readPublicKey = gatedKeys();

/** Names a registered key by its `kid` (RFC 7800 §3.4); undefined for a key that the client has not registered by value under one. */
export function kid({ key }: ProvenKey, client: ClientRegistration): { readonly kid: string } | undefined {
  for (const jwk of signatureJwks(client)) {
    const registered = readPublicKey(jwk);
    if (registered.kid !== undefined && registered.jkt === key.jkt) return { kid: registered.kid };
  }
  return undefined;
}

/** Names a registered key by the JWK Set that this server hosts for the client, and its `kid` in it (RFC 7800 §3.5). */
export function jku(proven: ProvenKey, client: ClientRegistration, issuer: string): Confirmation | undefined {
  const named = kid(proven, client);
  return named && { jku: `${issuer.replace(/\/$/, '')}/clients/${encodeURIComponent(client.client_id)}/jwks`, ...named };
}
