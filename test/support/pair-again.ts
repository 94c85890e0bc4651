import { type Pair, pairSecret } from './pair.ts';

const grants = ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'];

/**
 * App and backend registered and paired anew, on the same server: who tests them next needs no
 * server of his own.
 */
export async function pairAgain(pair: Pair): Promise<Pair> {
  const { server, backendKey } = pair;
  for (const name of ['app', 'backend']) await server.admin('DELETE', `clients/${name}`);
  const common = { scope: 'read write', grant_types: grants };
  const made = await server.admin('POST', 'configuration', {
    clients: [
      {
        client_id: 'app',
        client_secret: pairSecret,
        alt_cnf_holders: ['backend', 'printer', 'unpaired'],
        ...common,
      },
      { client_id: 'thief', alt_cnf_holders: ['backend'], ...common },
      {
        client_id: 'backend',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ ...backendKey.jwk, kid: 'be-1' }] },
        alt_cnf_requesters: ['app'],
        alt_cnf_registered_key: true,
        ...common,
      },
    ],
    pairings: [
      { requester: 'app', holder: 'backend', mode: 'registered_key', first_party: false },
      { requester: 'app', holder: 'printer', mode: 'proof', first_party: false },
    ],
  });
  if (made.status !== 200) throw new Error(JSON.stringify(made.body));
  const { items } = (await server.admin('GET', 'pairings?requester=app&holder=backend')).body;
  return { ...pair, pairing: items[0].id as string };
}
