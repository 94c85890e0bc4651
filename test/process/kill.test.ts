import { describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { freeAddress, type ServerProcess, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

const secret = 's'.repeat(32);

async function register(server: ServerProcess, path: string, body: object): Promise<number> {
  const response = await fetch(`${server.adminUrl}/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

async function token(
  server: ServerProcess,
  clientId: string,
  dpop: string,
): Promise<{ status: number; error?: string }> {
  const response = await fetch(`${server.url}/token`, {
    method: 'POST',
    headers: {
      authorization: basic(clientId, secret),
      dpop,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: formBody({ grant_type: 'client_credentials' }),
  });
  const { error } = (await response.json()) as { error?: string };
  return { status: response.status, ...(error !== undefined && { error }) };
}

describe.each(storeKinds)('killed under load, on $name', (kind) => {
  it('comes back without a manual step, with every registration, and refuses the proofs that were used', {
    timeout: 90_000,
  }, async () => {
    const store = await kind.make();
    const address = await freeAddress();
    const key = await testKey();
    const first = await startProcess(store.env, address);
    const proof = async () =>
      key.proof({ iat: Math.floor(Date.now() / 1000), htu: `${first.url}/token` });
    await register(first, 'resource-servers', { audience: 'https://rs.example.com' });
    await register(first, 'clients', { client_id: 'app', client_secret: secret });

    // Answered is answered: what the server said before it died must hold afterwards.
    const answeredProofs: string[] = [];
    const answeredClients: string[] = [];
    const load = Array.from({ length: 8 }, async (_, worker) => {
      for (let round = 0; round < 500; round++) {
        const dpop = await proof();
        const client = `client-${worker}-${round}`;
        const registered = await register(first, 'clients', {
          client_id: client,
          client_secret: secret,
        }).catch(() => undefined);
        if (registered === 201) answeredClients.push(client);
        const answer = await token(first, 'app', dpop).catch(() => undefined);
        if (answer === undefined) return;
        if (answer.status === 200) answeredProofs.push(dpop);
        if (answeredProofs.length === 60) first.child.kill('SIGKILL');
      }
    });
    await Promise.all(load);
    expect(answeredProofs.length).toBeGreaterThanOrEqual(60);

    const second = await startProcess(store.env, address);
    const replayed = await Promise.all(
      answeredProofs.map(async (dpop) => token(second, 'app', dpop)),
    );
    const fresh = await Promise.all(
      answeredClients.map(async (client) => token(second, client, await proof())),
    );
    expect(await second.end('SIGTERM')).toBe(0);
    await store.remove();
    expect(new Set(replayed.map(({ error }) => error))).toEqual(new Set(['invalid_dpop_proof']));
    expect(new Set(fresh.map(({ status }) => status))).toEqual(new Set([200]));
  });
});
