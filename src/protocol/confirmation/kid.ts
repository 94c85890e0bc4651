import { type ClientRegistration, signatureJwks } from '../../domain/client-registration.ts';
import type { Confirmation } from '../../domain/confirmation.ts';
import type { ProvenKey } from '../../domain/proven-key.ts';
import { publicKeyCache } from '../../jose/public-key-cache.ts';

const readPublicKey = publicKeyCache();

/** Names a key by its `kid` (RFC 7800 §3.4); undefined if it is not registered by value. */
export function kid(
  { key }: ProvenKey,
  client: ClientRegistration,
): { readonly kid: string } | undefined {
  if (key === undefined) return undefined;
  for (const jwk of signatureJwks(client)) {
    const registered = readPublicKey(jwk);
    if (registered.kid !== undefined && registered.jkt === key.jkt) return { kid: registered.kid };
  }
  return undefined;
}

/** Names a key by `kid` in the JWK Set that this server hosts for the client (RFC 7800 §3.5). */
export function jku(
  proven: ProvenKey,
  client: ClientRegistration,
  issuer: string,
): Confirmation | undefined {
  const named = kid(proven, client);
  return named && { jku: hostedJwksUri(client, issuer), ...named };
}

/** Thumbprint of the client's key with this `kid`; undefined if none or `jku` is another set. */
export function registeredThumbprint(
  { kid, jku }: { readonly kid: string; readonly jku?: string },
  client: ClientRegistration,
  issuer: string,
): string | undefined {
  if (jku !== undefined && jku !== hostedJwksUri(client, issuer)) return undefined;
  const [key, ...more] = signatureJwks(client)
    .map((jwk) => readPublicKey(jwk))
    .filter((registered) => registered.kid === kid);
  // A name that two keys share identifies neither.
  return more.length === 0 ? key?.jkt : undefined;
}

function hostedJwksUri({ client_id }: ClientRegistration, issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/clients/${encodeURIComponent(client_id)}/jwks`;
}
