import type { JWK } from 'jose';
import type { Asker } from './ask.ts';

/** Fetches the JWK Set through the front door. */
export async function fetchJwks(asker: Asker): Promise<void> {
  const { body, ...times } = await asker.get('/jwks');
  const { keys } = body as { keys?: readonly JWK[] };
  asker.record({ op: 'jwks', ...times, ...(keys !== undefined && { keys }) });
}

/** Rotates the signing key: announced first, or at once. */
export async function rotate(asker: Asker, immediately: boolean): Promise<void> {
  const { body, ...times } = await asker.admin('POST', 'signing-keys/rotate', {
    alg: 'ES256',
    immediately,
  });
  const { kid } = body as { kid?: string };
  asker.record({ op: 'rotate', ...times, immediately, ...(kid !== undefined && { kid }) });
}

/** Declares the active signing key compromised. */
export async function revokeActiveKey(asker: Asker): Promise<void> {
  const { body } = await asker.admin('GET', 'signing-keys');
  const { items = [] } = body as {
    items?: readonly { readonly kid: string; readonly state: string }[];
  };
  const active = items.find(({ state }) => state === 'active');
  if (active === undefined) return;
  const { body: _, ...times } = await asker.admin('POST', `signing-keys/${active.kid}/revoke`);
  asker.record({ op: 'revoke_signing_key', ...times, kid: active.kid });
}
