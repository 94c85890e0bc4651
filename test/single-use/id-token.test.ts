import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { type Answer, basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const secret = 's'.repeat(32);
const seconds = startOfTime / 1000;
const providers = ['https://op.example.com', 'https://b.example.com'] as const;

/** The order of the group of P-256: of a signature (r, s) the pair (r, n - s) verifies as well. */
const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
function otherSignature(jwt: string): string {
  const [header, payload, signature = ''] = jwt.split('.');
  const rs = Buffer.from(signature, 'base64url').toString('hex');
  const s = (n - BigInt(`0x${rs.slice(64)}`)).toString(16).padStart(64, '0');
  return `${header}.${payload}.${Buffer.from(rs.slice(0, 64) + s, 'hex').toString('base64url')}`;
}

let [op, appKey, jwks]: [TestKey, TestKey, HttpsJwks] = [] as never;
beforeAll(async () => {
  op = await testKey();
  appKey = await testKey();
  jwks = await httpsJwks([{ ...op.jwk, kid: 'op-1', use: 'sig' }]);
});
afterAll(async () => jwks.close());

describe.each(storeKinds)('an ID token counts once, on $name', (kind) => {
  let store: TestStore;
  let replicas: readonly TestServer[];
  const clock = { now: startOfTime };

  beforeAll(async () => {
    store = await kind.make();
    const options = { store, clock, env: { JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true' } };
    const first = await testServer(options);
    replicas = [first, await testServer(options)];
    const grant_types = ['urn:ietf:params:oauth:grant-type:token-exchange'];
    await first.admin('POST', 'resource-servers', { audience: 'https://rs.example.com' });
    await first.admin('POST', 'clients', { client_id: 'app', client_secret: secret, grant_types });
    await first.admin('POST', 'clients', {
      client_id: 'thief',
      client_secret: secret,
      grant_types,
    });
    for (const issuer of providers)
      await first.admin('POST', 'trusted-issuers', {
        issuer,
        audience: 'app-at-op',
        jwks_uri: jwks.uri,
      });
  });
  afterAll(async () => {
    await Promise.all(replicas.map(async (replica) => replica.stop()));
    await store.remove();
  });

  const idToken = (claims: object = {}) =>
    op.sign(
      {
        iss: providers[0],
        sub: 'alice',
        aud: 'app-at-op',
        iat: clock.now / 1000,
        exp: clock.now / 1000 + 3600,
        ...claims,
      },
      { typ: 'JWT', kid: 'op-1' },
    );
  const exchange = async (
    subject_token: string,
    {
      replica = 0,
      client = 'app',
      key = appKey,
      resource = 'https://rs.example.com',
      dpop = undefined as string | undefined,
    } = {},
  ): Promise<Answer> =>
    (replicas[replica] as TestServer).post(
      '/token',
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token,
        resource,
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      },
      {
        authorization: basic(client, secret),
        dpop: dpop ?? (await key.proof({ iat: clock.now / 1000 })),
      },
    );
  const short = ({ status, body }: Answer) =>
    status === 200 ? '200' : `${status} ${body.error}: ${body.error_description}`;
  const usedBefore = '400 invalid_request: the ID token was exchanged before';

  it.each([
    ['with jti', () => ({ jti: randomJti() })],
    ['without jti', () => ({ sub: randomJti() })],
  ])(
    '50 parallel exchanges of one %s at two replicas, each with its own proof, give one token',
    async (_, claims) => {
      const token = await idToken(claims());
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (__, index) => exchange(token, { replica: index % 2 })),
      );
      expect(answers.map(short).sort()).toEqual([
        '200',
        ...Array.from({ length: 49 }, () => usedBefore),
      ]);
    },
  );

  it('a thief with a client of its own gets nothing for one that was used', async () => {
    const token = await idToken({ sub: 'bob' });
    const thief = { client: 'thief', key: await testKey(), replica: 1 };
    expect([short(await exchange(token)), short(await exchange(token, thief))]).toEqual([
      '200',
      usedBefore,
    ]);
  });

  it('the same claims under another signature that verifies are the same ID token', async () => {
    const token = await idToken({ sub: 'carol' });
    const [one, other] = [token, otherSignature(token)];
    expect(createHash('sha256').update(one).digest('hex')).not.toBe(
      createHash('sha256').update(other).digest('hex'),
    );
    expect([short(await exchange(one)), short(await exchange(other))]).toEqual(['200', usedBefore]);
  });

  it('a jti counts within its issuer', async () => {
    const jti = randomJti();
    const [one, same, other] = [
      await idToken({ jti }),
      await idToken({ jti, sub: 'dave' }),
      await idToken({ jti, iss: providers[1] }),
    ];
    expect([
      short(await exchange(one)),
      short(await exchange(same)),
      short(await exchange(other)),
    ]).toEqual(['200', usedBefore, '200']);
  });

  it('a wrong key or target uses nothing up', async () => {
    const token = await idToken({ sub: 'erin', cnf: { jkt: appKey.jkt } });
    expect((await exchange(token, { key: await testKey() })).body.error).toBe('invalid_grant');
    expect((await exchange(token, { resource: 'https://other.example.com' })).body.error).toBe(
      'invalid_target',
    );
    expect([short(await exchange(token)), short(await exchange(token))]).toEqual([
      '200',
      usedBefore,
    ]);
  });

  // As docs/protocol.md says: what is new in the request is recorded, whatever else in it was used.
  it('with a proof that was used before it is used up, and so is the proof with a used ID token', async () => {
    const [dpop, other] = [await appKey.proof(), await appKey.proof()];
    const [used, fresh] = [await idToken({ sub: 'grace' }), await idToken({ sub: 'heidi' })];
    const seen = [
      await exchange(used, { dpop }),
      await exchange(fresh, { dpop }),
      await exchange(fresh, { dpop: other }),
      await exchange(await idToken({ sub: 'ivan' }), { dpop: other, replica: 1 }),
    ];
    const replayed = '400 invalid_dpop_proof: the DPoP proof was used before';
    expect(seen.map(short)).toEqual(['200', replayed, usedBefore, replayed]);
  });

  it('the record lasts as long as the ID token can be exchanged, ID_TOKEN_MAX_AGE after iat or until exp', async () => {
    const [long, brief] = [
      await idToken({ sub: 'frank' }),
      await idToken({ sub: 'frank', exp: seconds + 100 }),
    ];
    expect([short(await exchange(long)), short(await exchange(brief))]).toEqual(['200', '200']);
    const seen: string[] = [];
    for (const later of [99, 100, 299, 300]) {
      clock.now = startOfTime + later * 1000;
      seen.push(short(await exchange(long, { replica: 1 })), short(await exchange(brief)));
    }
    clock.now = startOfTime;
    const over =
      '400 invalid_request: the subject token is invalid, expired or not from a trusted issuer';
    expect(seen).toEqual([usedBefore, usedBefore, usedBefore, over, usedBefore, over, over, over]);
  });
});
