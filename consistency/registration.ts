import type { Asked, Asker } from './ask.ts';
import { type Actor, audience, resourceServerId, secret } from './token-requests.ts';

/** Registers the initial resource server and clients. Throws if the server refuses. */
export async function registerAll(asker: Asker, actors: readonly Actor[]): Promise<void> {
  const must = (what: string, { status, body }: Asked) => {
    if (status !== 201)
      throw new Error(`${what} was not registered: ${status} ${JSON.stringify(body)}`);
  };
  const resourceServer = {
    audience,
    scopes: ['read'],
    client_id: resourceServerId,
    client_secret: secret,
    alt_cnf_supported: true,
  };
  must('the resource server', await asker.admin('POST', 'resource-servers', resourceServer));
  for (const actor of actors) must(actor.client, await register(asker, actor, actors));
  for (const { client, shares } of actors) {
    if (shares === undefined) continue;
    must(
      'the pairing',
      await asker.admin('POST', 'pairings', {
        requester: client,
        holder: shares.client,
        mode: 'proof',
      }),
    );
  }
}

/** Registers one client. */
export async function register(
  asker: Asker,
  { client, key, signs = false, shares }: Actor,
  others: readonly Actor[] = [],
): Promise<Asked> {
  const sharers = others
    .filter((other) => other.shares?.client === client)
    .map((other) => other.client);
  const asked = await asker.admin('POST', 'clients', {
    client_id: client,
    scope: 'read',
    ...(signs
      ? {
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [{ ...key.jwk, kid: 'registered' }] },
        }
      : { client_secret: secret }),
    ...(shares !== undefined && { alt_cnf_holders: [shares.client] }),
    ...(sharers.length > 0 && { alt_cnf_requesters: sharers }),
  });
  note(asker, 'register', client, asked);
  return asked;
}

/** Changes one client or revokes its tokens. */
export async function change(
  asker: Asker,
  op: 'disable' | 'enable' | 'delete' | 'revoke_client_tokens',
  client: string,
): Promise<Asked> {
  const asked =
    op === 'delete'
      ? await asker.admin('DELETE', `clients/${client}`)
      : op === 'revoke_client_tokens'
        ? await asker.admin('DELETE', `clients/${client}/tokens`)
        : await asker.admin('PATCH', `clients/${client}`, { disabled: op === 'disable' });
  note(asker, op, client, asked);
  return asked;
}

function note(
  asker: Asker,
  op: 'register' | 'disable' | 'enable' | 'delete' | 'revoke_client_tokens',
  client: string,
  asked: Asked,
): void {
  const { body: _, ...times } = asked;
  asker.record({ op, ...times, client });
}

/** Reads one client. */
export async function lookUp(asker: Asker, client: string): Promise<void> {
  const { body, ...times } = await asker.admin('GET', `clients/${client}`);
  asker.record({ op: 'look_up', ...times, client, disabled: body['disabled'] === true });
}
