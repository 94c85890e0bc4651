import { afterAll, beforeAll, expect, test } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, type TestServer, testServer } from '../support/server.ts';

const secret = 's'.repeat(32);
let server: TestServer;

beforeAll(async () => {
  server = await testServer({
    env: {
      DEVELOPMENT: 'true',
      ISSUER: 'http://localhost:8080',
      DPOP_NONCE: 'required',
      DPOP_NONCE_REFUSE_PERCENT: '50',
    },
  });
  await server.admin('POST', 'resource-servers', {
    audience: 'https://api.example.com',
    scopes: ['read'],
  });
  await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret, scope: 'read' });
});
afterAll(() => server.stop());

// All alike in 60 draws: one run in 2^59.
test('RFC 9449 §8: the development switch refuses some valid nonces with use_dpop_nonce and a new nonce, and takes the others', async () => {
  const key = await testKey();
  const request = async (nonce?: string) =>
    server.post(
      '/token',
      { grant_type: 'client_credentials' },
      {
        authorization: basic('app', secret),
        dpop: await key.proof({ nonce, htu: `${server.issuer}/token` }),
      },
    );
  const nonce = (await request()).headers.get('dpop-nonce') ?? '';
  const answers = await Promise.all(Array.from({ length: 60 }, () => request(nonce)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400]));
  for (const { headers, body } of answers.filter(({ status }) => status === 400))
    expect([body.error, headers.get('dpop-nonce')]).toEqual(['use_dpop_nonce', nonce]);
});
