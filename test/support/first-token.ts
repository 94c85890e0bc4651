import { createHolder } from '../../packages/client/src/client.ts';
import { adminToken } from './server.ts';
import { clientSecret } from './token-endpoint-fixture.ts';

/**
 * Registers an API and a client at a server that runs anywhere, by its admin API, and answers the
 * type of the token that the client obtains there.
 */
export async function firstTokenType(
  { url, adminUrl }: { readonly url: string; readonly adminUrl: string },
  token: string = adminToken,
): Promise<string> {
  const register = async (path: string, body: object) => {
    const answer = await fetch(`${adminUrl}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  };
  const resource = 'https://api.example.com';
  await register('resource-servers', { audience: resource, scopes: ['read'] });
  await register('clients', { client_id: 'app', client_secret: clientSecret, scope: 'read' });
  const key = 'memory';
  const holder = await createHolder({ issuer: url, clientId: 'app', clientSecret, resource, key });
  return (await holder.token()).tokenType;
}
