import { describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import { assertionForm } from '../support/token-endpoint-fixture.ts';

const secret = 's'.repeat(32);

describe.each(storeKinds)('two processes on $name', (kind) => {
  it('start at once on an empty database, and together give one token for 50 uses of one proof, and one for 50 of one client assertion', {
    timeout: 90_000,
  }, async () => {
    const store = await kind.make();
    const addresses = [await freeAddress(), await freeAddress()];
    // Replicas have one issuer; here it is the address of the first.
    const env = { ...store.env, ISSUER: `http://127.0.0.1:${addresses[0]?.port}` };
    const processes = await Promise.all(
      addresses.map(async (address) => startProcess(env, address)),
    );
    const [first] = processes;
    const key = await testKey();
    for (const [path, body] of [
      ['resource-servers', { audience: 'https://rs.example.com' }],
      ['clients', { client_id: 'app', client_secret: secret }],
      [
        'clients',
        {
          client_id: 'signer',
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [key.jwk] },
        },
      ],
    ] as const)
      await fetch(`${first?.adminUrl}/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const iat = Math.floor(Date.now() / 1000);
    const proof = async () => key.proof({ iat, htu: `${first?.url}/token` });
    const fiftyTimes = (
      form: Record<string, string>,
      headers: () => Promise<Record<string, string>>,
    ) =>
      Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const response = await fetch(`${processes[index % 2]?.url}/token`, {
            method: 'POST',
            headers: { ...(await headers()), 'content-type': 'application/x-www-form-urlencoded' },
            body: formBody({ grant_type: 'client_credentials', ...form }),
          });
          await response.text();
          return response.status;
        }),
      );
    const dpop = await proof();
    const statuses = await fiftyTimes({}, async () => ({
      authorization: basic('app', secret),
      dpop,
    }));
    const assertion = assertionForm(
      await key.assertion('signer', { aud: env.ISSUER, iat, exp: iat + 60 }),
    );
    const byAssertion = await fiftyTimes(assertion, async () => ({ dpop: await proof() }));
    const jwks = await Promise.all(
      processes.map(async ({ url }) => (await fetch(`${url}/jwks`)).text()),
    );
    const codes = await Promise.all(processes.map(async (process) => process.end('SIGTERM')));
    await store.remove();
    expect(statuses.filter((status) => status === 200).length).toBe(1);
    expect(statuses.filter((status) => status === 400).length).toBe(49);
    expect(byAssertion.filter((status) => status === 200).length).toBe(1);
    expect(byAssertion.filter((status) => status === 401).length).toBe(49);
    expect(jwks[0]).toBe(jwks[1]);
    expect(codes).toEqual([0, 0]);
  });
});
