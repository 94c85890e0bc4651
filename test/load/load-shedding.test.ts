import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { rawMessage } from '../support/raw-message.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';

const secret = 's'.repeat(32);

describe('more requests than the server works on at once', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer({ env: { MAX_CONCURRENT_REQUESTS: '1' } });
    await server.admin('POST', 'resource-servers', { audience: 'https://rs.example.com' });
    await server.admin('POST', 'clients', { client_id: 'app', client_secret: secret });
  });
  afterAll(async () => server.stop());

  it('are refused by 503 with Retry-After, use nothing up, and the place is free again', async () => {
    const key = await testKey();
    const proofs = await Promise.all(
      Array.from({ length: 40 }, async () => key.proof({ iat: startOfTime / 1000 })),
    );
    const ask = async (dpop: string) =>
      server.post(
        '/token',
        { grant_type: 'client_credentials' },
        { authorization: basic('app', secret), dpop },
      );
    // All of them arrive together, which only requests on one connection are sure to do; the answers come in their order.
    const form = 'grant_type=client_credentials';
    const messages = proofs.map((dpop, index) =>
      [
        'POST /token HTTP/1.1',
        'Host: as.example.com',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${form.length}`,
        `Authorization: ${basic('app', secret)}`,
        `DPoP: ${dpop}`,
        ...(index === proofs.length - 1 ? ['Connection: close'] : []),
        '',
        form,
      ].join('\r\n'),
    );
    const [head = '', ...rest] = messages.join('').split('\r\n\r\n');
    const answers = (await rawMessage(server.url, [head], rest.join('\r\n\r\n')))
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .map((text) => ({ status: Number(text.slice(9, 12)), text }));
    expect(answers).toHaveLength(proofs.length);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const { text } of answers.filter(({ status }) => status === 503)) {
      expect(text).toMatch(/^retry-after: 1\r$/im);
      expect(text).toMatch(/^cache-control: no-store\r$/im);
      expect(text).toContain('"error":"temporarily_unavailable"');
    }
    // A refused proof was not used: one after the other, each of them still counts once.
    for (const [index, { status }] of answers.entries()) {
      const again = await ask(proofs[index] ?? '');
      expect(again.status).toBe(status === 503 ? 200 : 400);
    }
  });
});
