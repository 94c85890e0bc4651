import { decodeProtectedHeader } from 'jose/decode/protected_header';
import type { ClientRegistration } from '../client-registration.ts';
import type { Ports } from '../ports.ts';
import type { RegisteredKeys } from '../registered-keys.ts';
import type { ResourceServer } from '../resource-server.ts';
import type { AccessTokenClaims } from './claims.ts';
import { bindingOf, type LiveHolders } from './live-holders.ts';
import type { VerifyAccessToken } from './verify-access-token.ts';

/** What the check needs. */
export interface ActiveTokenOptions extends Pick<Ports, 'issuedTokens' | 'clock'> {
  readonly verify: VerifyAccessToken;
  readonly keys: RegisteredKeys;
  readonly liveHolders: LiveHolders;
}

/**
 * The claims of a token that is active for this resource server: signed by this server, for this audience, not expired, known as issued, not revoked,
 * of a client that exists and is enabled, and, where it was bound to a registered key, with that key still registered. Undefined otherwise.
 */
export function activeToken({ verify, issuedTokens, keys, clock, liveHolders }: ActiveTokenOptions) {
  return async (token: string, { audience, alt_cnf_supported, multi_key_form }: ResourceServer): Promise<AccessTokenClaims | undefined> => {
    const claims = verify(token);
    if (claims === undefined || claims.aud !== audience || claims.exp <= clock() / 1000) return undefined;
    const state = await issuedTokens.state(claims.jti);
    if (state === undefined || state.revoked || state.client === undefined || state.client.disabled) return undefined;
    // This replica may not have heard yet that the key of the signature is compromised.
    if (state.revokedKids.length > 0 && state.revokedKids.includes(String(decodeProtectedHeader(token).kid))) return undefined;
    const bound = state.evidence === 'client_assertion' ? state.jkt : undefined;
    if (bound !== undefined && !(await isRegistered(keys, state.client, bound))) return undefined;
    // A resource server that is not, or no longer, registered as knowing several keys hears of the requester's only (protocol reference D3.5).
    const knowsSeveral = alt_cnf_supported === true || multi_key_form === 'jwks';
    const { alt_cnf: _, ...rest } = claims;
    return { ...rest, ...bindingOf(claims, knowsSeveral ? await liveHolders(claims, state) : new Map()) };
  };
}

async function isRegistered(keys: RegisteredKeys, client: ClientRegistration, jkt: string): Promise<boolean> {
  try {
    return await keys.holds(client, (key) => key.jkt === jkt);
  } catch {
    // A jwks_uri that cannot be read says nothing for the key.
    return false;
  }
}
