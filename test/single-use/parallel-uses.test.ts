import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import { type Answer, basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const secret = 's'.repeat(32);
const seconds = startOfTime / 1000;
const authorization = basic('app', secret);
const form = { grant_type: 'client_credentials' };
const assertionForm = (assertion: string) => ({
  ...form,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
});

/** How many were answered by each status and error. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const { error } = body as { error?: string };
    const name = error === undefined ? String(status) : `${status} ${error}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe.each(storeKinds)('what counts once, on $name', (kind) => {
  let store: TestStore;
  let replicas: readonly TestServer[];
  let key: TestKey;
  const clock = { now: startOfTime };

  beforeAll(async () => {
    store = await kind.make();
    key = await testKey();
    const first = await testServer({ store, clock });
    replicas = [first, await testServer({ store, clock })];
    await first.admin('POST', 'resource-servers', { audience: 'https://rs.example.com' });
    await first.admin('POST', 'clients', { client_id: 'app', client_secret: secret });
    await first.admin('POST', 'clients', {
      client_id: 'signer',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
    });
  });
  afterAll(async () => {
    await Promise.all(replicas.map(async (replica) => replica.stop()));
    await store.remove();
  });

  const onBoth = async (times: number, ask: (server: TestServer) => Promise<Answer>) =>
    tally(
      await Promise.all(
        Array.from({ length: times }, async (_, index) => ask(replicas[index % 2] as TestServer)),
      ),
    );

  it('RFC 9449 §11.1: 50 parallel uses of one proof at two replicas give one token', async () => {
    const dpop = await key.proof();
    expect(
      await onBoth(50, async (server) => server.post('/token', form, { authorization, dpop })),
    ).toEqual({
      '200': 1,
      '400 invalid_dpop_proof': 49,
    });
  });

  it('RFC 7523 §3: 50 parallel uses of one assertion, each with its own proof, give one token', async () => {
    const body = assertionForm(await key.assertion('signer'));
    const counts = await onBoth(50, async (server) =>
      server.post('/token', body, { dpop: await key.proof() }),
    );
    expect(counts).toEqual({ '200': 1, '401 invalid_client': 49 });
  });

  it('RFC 9449 §11.1: a proof dated as far ahead as allowed is refused as a replay until it is too old', async () => {
    const dpop = await key.proof({ iat: seconds + 30 });
    const statuses: string[] = [];
    for (const later of [0, 1, 30, 60, 89, 90]) {
      clock.now = startOfTime + later * 1000;
      statuses.push(
        Object.keys(
          await onBoth(2, async (server) => server.post('/token', form, { authorization, dpop })),
        ).join(),
      );
    }
    clock.now = startOfTime + 91_000;
    const { body } = await (replicas[0] as TestServer).post('/token', form, {
      authorization,
      dpop,
    });
    clock.now = startOfTime;
    expect(statuses).toEqual([
      '200,400 invalid_dpop_proof',
      ...Array.from({ length: 5 }, () => '400 invalid_dpop_proof'),
    ]);
    expect(body).toMatchObject({
      error: 'invalid_dpop_proof',
      error_description: 'iat of the DPoP proof is too old',
    });
  });

  it('the same jti by another key or for another client is another use', async () => {
    const other = await testKey();
    const jti = 'the-same-for-both';
    const answers = await Promise.all(
      [key, other].map(async (holder) =>
        (replicas[0] as TestServer).post('/token', form, {
          authorization,
          dpop: await holder.proof({ jti }),
        }),
      ),
    );
    expect(tally(answers)).toEqual({ '200': 2 });
  });
});
