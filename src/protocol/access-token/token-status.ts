import { decodeProtectedHeader } from 'jose/decode/protected_header';
import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import type { ClientRegistration } from '../../domain/client-registration.ts';
import type { TokenState } from '../../ports/issued-tokens.ts';
import type { Ports } from '../../ports/ports.ts';
import { type RegisteredKeys, refuseIfBusy } from '../client-keys/registered-keys.ts';

/** The state of a token that this server signed, or undefined if it is inactive. */
export type TokenStatus = (
  token: string,
  claims: AccessTokenClaims,
) => Promise<(TokenState & { readonly client: ClientRegistration }) | undefined>;

export interface TokenStatusOptions extends Pick<Ports, 'issuedTokens'> {
  readonly keys: RegisteredKeys;
}

/**
 * Whether a token, and every token it was exchanged from, is recorded, unrevoked, of an enabled
 * client, signed by an uncompromised key, and bound to a key that is still registered, if it was.
 * Signature and times are checked elsewhere.
 */
export function tokenStatus({ issuedTokens, keys }: TokenStatusOptions): TokenStatus {
  const counts = async (state: TokenState): Promise<boolean> => {
    const { revoked, client, source, actor, jkt } = state;
    if (revoked || client === undefined || client.disabled) return false;
    if (provedByRegisteredKey(state, client) && !(await isRegistered(keys, client, jkt)))
      return false;
    if (actor !== undefined && !(await counts(actor))) return false;
    return source === undefined || counts(source);
  };
  return async (token, { jti }) => {
    const state = await issuedTokens.state(jti);
    if (state?.client === undefined) return undefined;
    // This replica may not know yet that the signing key is compromised.
    if (
      state.revokedKids.length > 0 &&
      state.revokedKids.includes(String(decodeProtectedHeader(token).kid))
    )
      return undefined;
    if (!(await counts(state))) return undefined;
    return { ...state, client: state.client };
  };
}

/** For a client with a registered certificate, the handshake proves a registered key. */
function provedByRegisteredKey({ evidence }: TokenState, client: ClientRegistration): boolean {
  return (
    evidence === 'client_assertion' ||
    (evidence === 'tls_handshake' &&
      client.token_endpoint_auth_method === 'self_signed_tls_client_auth')
  );
}

async function isRegistered(
  keys: RegisteredKeys,
  client: ClientRegistration,
  jkt: string | undefined,
): Promise<boolean> {
  try {
    return await keys.holds(client, (key) => key.jkt === jkt);
  } catch (cause) {
    refuseIfBusy(cause);
    // A jwks_uri that cannot be read does not vouch for the key.
    return false;
  }
}
