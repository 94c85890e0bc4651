import { parseJson } from '../../../src/protocol/client-keys/remote-jwks/jwk-set.ts';
import { RemoteJwksUnavailable } from '../../../src/protocol/client-keys/remote-jwks/unavailable.ts';
import { fetchJson } from './fetch-json.ts';

/**
 * A URI in the metadata of an issuer (RFC 8414 §3), which must name this issuer (§3.3). It must not
 * downgrade https. Throws RemoteJwksUnavailable.
 */
export async function discover(
  fetch: typeof globalThis.fetch,
  issuer: string,
  member: 'jwks_uri' | 'introspection_endpoint',
): Promise<string> {
  const { origin, pathname, protocol } = new URL(issuer);
  const { body } = await fetchJson(
    fetch,
    `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`,
  );
  const metadata = parseJson(body ?? new Uint8Array());
  const uri = metadata?.[member];
  if (metadata?.['issuer'] !== issuer || typeof uri !== 'string' || !URL.canParse(uri))
    throw new RemoteJwksUnavailable('metadata_not_of_issuer');
  if (new URL(uri).protocol !== 'https:' && new URL(uri).protocol !== protocol)
    throw new RemoteJwksUnavailable('uri_not_allowed');
  return uri;
}
