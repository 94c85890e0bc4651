import { exportJWK } from 'jose';
import { testKey } from '../test/support/keys.ts';
import { adminToken, basic, formBody } from '../test/support/server.ts';
import type { Fixture } from './workloads.ts';

/** Header fields of a request to the admin API. */
export const admin = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };

/** Registers everybody and asks for the tokens to introspect. Throws where that is refused. */
export async function prepare(port: number, adminPort: number): Promise<Fixture> {
  const url = `http://127.0.0.1:${port}`;
  while ((await fetch(`${url}/health/ready`).catch(() => undefined))?.status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const key = await testKey();
  const clientKey = await exportJWK(key.privateKey);
  const names = {
    audience: 'https://rs.example.com',
    basicClient: 'basic',
    keyClient: 'signer',
    resourceServer: 'rs',
    secret: 's'.repeat(32),
  };
  const register = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/${path}`, {
      method: 'POST',
      headers: admin,
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  await register('resource-servers', {
    audience: names.audience,
    client_id: names.resourceServer,
    client_secret: names.secret,
    origins: [names.audience],
  });
  await register('clients', { client_id: names.basicClient, client_secret: names.secret });
  await register('clients', {
    client_id: names.keyClient,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  });
  const token = async () => {
    const answer = await fetch(`${url}/token`, {
      method: 'POST',
      headers: {
        authorization: basic(names.basicClient, names.secret),
        dpop: await key.proof({ htu: `${url}/token`, iat: Math.floor(Date.now() / 1000) }),
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: formBody({ grant_type: 'client_credentials' }),
    });
    return ((await answer.json()) as { access_token: string }).access_token;
  };
  return {
    ...names,
    issuer: url,
    port,
    clientKey,
    tokens: await Promise.all(Array.from({ length: 20 }, token)),
  };
}
