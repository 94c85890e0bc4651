import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { languages, type Outcome, runClient } from './languages.ts';

/** A secret that shows whether it is encoded (RFC 6749 §2.3.1). */
const clientSecret = `${'s'.repeat(32)}+%/=`;
const other = 'https://other.example.com';
const cases = languages.flatMap((language) => [
  { ...language, nonces: 'off' },
  { ...language, nonces: 'required' },
]);

describe.each(cases)('examples: the client in $name, nonces $nonces', (language) => {
  const { here, build, client, nonces } = language;
  let [server, api, folder]: [LiveServer, Api, string] = [] as never;
  let command: readonly [string, ...string[]];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
    if (here) {
      await build?.();
      command = client();
    }
    server = await liveServer({ DPOP_NONCE: nonces });
    api = await openApi(server.issuer, { nonceRequired: nonces === 'required' });
    for (const audience of [api.origin, other])
      await server.admin('POST', 'resource-servers', { audience, scopes: ['read'] });
    await server.admin('POST', 'clients', {
      client_id: 'reports',
      client_secret: clientSecret,
      scope: 'read',
    });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await api.close();
    await server.stop();
  });

  const run = async (
    more: Readonly<Record<string, string>> = {},
    target = '/reports?year=2026',
  ): Promise<Outcome> => {
    api.seen.length = 0;
    return runClient(command, api.origin + target, {
      HOME: folder,
      ISSUER: server.issuer,
      CLIENT_ID: 'reports',
      CLIENT_SECRET: clientSecret,
      RESOURCE: api.origin,
      ...more,
    });
  };

  let called: Promise<{ readonly outcome: Outcome; readonly seen: Api['seen'] }> | undefined;
  /** What came of an ordinary call, which two tests look at. */
  const call = async () => (called ??= run().then((outcome) => ({ outcome, seen: [...api.seen] })));

  it.skipIf(!here)('calls an API with a bound token, and answers nonces', async () => {
    const { outcome, seen } = await call();
    expect(outcome).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\{"presenter":"reports","method":"jkt","body":""\}\n?$/),
      stderr: '',
    });
    expect(seen.map((request) => request.outcome)).toEqual([
      ...(nonces === 'required' ? ['nonce_missing'] : []),
      'reports by jkt',
    ]);
  });

  it.skipIf(!here)('RFC 9449 §7.1: what it sent works once, and for nobody else', async () => {
    const { seen } = await call();
    const { authorization = '', dpop } = seen.at(-1)?.headers ?? {};
    const thefts: readonly Record<string, string>[] = [
      { authorization, dpop: dpop as string },
      { authorization },
      { authorization: authorization.replace('DPoP', 'Bearer') },
    ];
    for (const headers of thefts)
      expect((await fetch(`${api.origin}/reports`, { headers })).status).toBe(401);
    expect(api.seen.slice(-3).map(({ outcome }) => outcome)).toEqual([
      'proof_replayed',
      'proof_header_repeated',
      'token_as_bearer',
    ]);
  });

  it.skipIf(!here)('fails where the server refuses the client', async () => {
    const { code, stdout, stderr } = await run({ CLIENT_SECRET: 'wrong-secret' });
    expect(code).toBeGreaterThan(0);
    expect(stdout + stderr).toMatch(/invalid_client/);
    expect(stdout + stderr).not.toContain('wrong-secret');
    expect(api.seen).toEqual([]);
  });

  it.skipIf(!here)(
    'RFC 8414 §3.3: sends nothing where the metadata names another issuer',
    async () => {
      const asked: string[] = [];
      const liar = createServer(({ url = '', headers }, response) => {
        asked.push(url);
        const metadata = { issuer: server.issuer, token_endpoint: `http://${headers.host}/token` };
        response.end(JSON.stringify(metadata));
      }).listen(0, '127.0.0.1');
      await once(liar, 'listening');
      const { port } = liar.address() as AddressInfo;
      const { code } = await run({ ISSUER: `http://127.0.0.1:${port}` });
      liar.closeAllConnections();
      liar.close();
      expect([code > 0, asked]).toEqual([true, ['/.well-known/oauth-authorization-server']]);
    },
  );

  it.skipIf(!here)('neither secret nor token follows a redirect', async () => {
    const asked: string[] = [];
    const elsewhere = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const { port } = elsewhere.address() as AddressInfo;
    const location = `http://127.0.0.1:${port}/elsewhere`;
    const issuer = createServer(({ url = '', headers }, response) => {
      const own = `http://${headers.host}`;
      if (url === '/token') response.writeHead(307, { location }).end();
      else response.end(JSON.stringify({ issuer: own, token_endpoint: `${own}/token` }));
    }).listen(0, '127.0.0.1');
    await once(issuer, 'listening');
    const own = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const byToken = await run({ ISSUER: own });
    const to = encodeURIComponent(location);
    const byApi = await run({}, `/reports?status=307&to=${to}`);
    for (const one of [issuer, elsewhere]) {
      one.closeAllConnections();
      one.close();
    }
    expect([byToken.code > 0, byApi.code > 0, asked]).toEqual([true, true, []]);
  });

  it.skipIf(!here)('fails where the API refuses the token', async () => {
    const { code, stdout, stderr } = await run({ RESOURCE: other });
    expect(code).toBeGreaterThan(0);
    expect(stdout + stderr).toContain('invalid_token');
    expect(api.seen.at(-1)?.outcome).toBe('token_aud_mismatch');
  });
});
