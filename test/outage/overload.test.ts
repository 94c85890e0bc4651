import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';

const secret = 's'.repeat(32);

describe('more requests than the server works on at once', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer({ env: { MAX_REQUESTS_UNDER_WAY: '1' } });
    await server.admin('POST', 'resource-servers', { audience: 'https://rs.example.com' });
    await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret });
  });
  afterAll(async () => server.stop());

  it('are refused by 503 with Retry-After, use nothing up, and the place is free again', async () => {
    const key = await testKey();
    const proofs = await Promise.all(Array.from({ length: 40 }, async () => key.proof({ iat: startOfTime / 1000 })));
    const ask = async (dpop: string) => server.post('/token', { grant_type: 'client_credentials' }, { authorization: basic('app', secret), dpop });
    const answers = await Promise.all(proofs.map(ask));
    const refused = answers.filter(({ status }) => status === 503);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const { headers, body } of refused) {
      expect(headers.get('retry-after')).toBe('1');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(body.error).toBe('temporarily_unavailable');
    }
    // A refused proof was not used: one after the other, each of them still counts once.
    for (const [index, { status }] of answers.entries()) {
      const again = await ask(proofs[index] ?? '');
      expect(again.status).toBe(status === 503 ? 200 : 400);
    }
  });
});
