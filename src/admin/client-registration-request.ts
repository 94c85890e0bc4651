import type { ClientRegistration, StoredSecret } from '../client-registration.ts';
import { JoseFault } from '../jose/jose-fault.ts';
import { readPublicKey } from '../jose/public-key.ts';
import { generateClientSecret, storedSecret } from './client-secrets.ts';
import { Problem } from './problem.ts';
import type { ClientBody } from './schemas.ts';

/** A checked registration, and the secret to show once when one was made. */
export interface CheckedClient {
  readonly client: ClientRegistration;
  readonly clientSecret?: string;
}

/** Checks what the schema cannot: which members go together, and every key. Keeps the stored secret unless a new one is given. Throws Problem. */
export function checkClient(body: ClientBody, clientId: string, stored: readonly StoredSecret[], now: number): CheckedClient {
  const { client_id: _, client_secret, ...members } = body;
  const method = members.token_endpoint_auth_method ?? 'client_secret_basic';
  const usesSecret = method !== 'private_key_jwt';
  if (members.jwks !== undefined && members.jwks_uri !== undefined) throw new Problem(400, 'jwks and jwks_uri exclude each other', 'jwks_uri');
  if (!usesSecret && members.jwks === undefined && members.jwks_uri === undefined)
    throw new Problem(400, 'private_key_jwt needs jwks or jwks_uri', 'jwks');
  if (!usesSecret && client_secret !== undefined) throw new Problem(400, 'a private_key_jwt client has no secret', 'client_secret');
  if (usesSecret && members.client_assertion_bound_access_tokens) {
    throw new Problem(
      400,
      'only a client that authenticates by private_key_jwt has an assertion key to bind',
      'client_assertion_bound_access_tokens',
    );
  }
  if (members.jwks_uri !== undefined && !URL.canParse(members.jwks_uri)) throw new Problem(400, 'jwks_uri is not a URL', 'jwks_uri');
  if (members.jwks !== undefined) checkKeys(members.jwks.keys);
  const clientSecret = usesSecret ? (client_secret ?? (stored.length === 0 ? generateClientSecret() : undefined)) : undefined;
  const replacement = clientSecret === undefined ? stored : [storedSecret(clientSecret, now)];
  const client = {
    ...members,
    client_id: clientId,
    token_endpoint_auth_method: method,
    grant_types: members.grant_types ?? ['client_credentials'],
    dpop_bound_access_tokens: members.dpop_bound_access_tokens ?? false,
    dpop_nonce_required: members.dpop_nonce_required ?? false,
    client_assertion_bound_access_tokens: members.client_assertion_bound_access_tokens ?? false,
    disabled: members.disabled ?? false,
    clientSecrets: usesSecret ? replacement : [],
  } as ClientRegistration;
  return { client, ...(clientSecret !== undefined && { clientSecret }) };
}

function checkKeys(keys: readonly unknown[]): void {
  const kids = new Set<string>();
  for (const [index, jwk] of keys.entries()) {
    try {
      const { kid } = readPublicKey(jwk);
      if (kid !== undefined && kids.has(kid)) throw new Problem(400, 'two keys have the same kid', `jwks.keys[${index}].kid`);
      if (kid !== undefined) kids.add(kid);
    } catch (fault) {
      if (!(fault instanceof JoseFault)) throw fault;
      throw new Problem(
        400,
        'the key is not an acceptable public signature key',
        `jwks.keys[${index}]${fault.member === undefined ? '' : `.${fault.member}`}`,
      );
    }
  }
}
