import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { basic, formBody, issuer, type TestServer, testServer } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const audience = 'https://mtls.example.com';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bound-'));
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
// The verifier has a clock of its own, so the server runs on the real one.
const clock = {
  get now() {
    return Date.now();
  },
};
const valid = { notBefore: Date.now() - 86_400_000, notAfter: Date.now() + 86_400_000 };

let server: TestServer;
let recipient: Server;
let [own, device, thief]: TestCertificate[] = [];
let port: number;
beforeAll(async () => {
  [own, device, thief] = await Promise.all([
    certificate({ subject: 'CN=as', names: [{ type: 'ip', value: '127.0.0.1' }], ...valid }),
    certificate({ subject: 'CN=device', ...valid }),
    certificate({ subject: 'CN=device', ...valid }),
  ]);
  port = await freePort();
  const files = {
    TLS_CERT_FILE: file('tls.crt', own?.pem ?? ''),
    TLS_KEY_FILE: file('tls.key', own?.keyPem ?? ''),
  };
  server = await testServer({
    clock,
    env: { TLS_HOST: '127.0.0.1', TLS_PORT: String(port), ...files },
  });
  await server.admin('POST', 'resource-servers', { audience, cnf_methods_supported: ['x5t#S256'] });
  await server.admin('POST', 'clients', {
    client_id: 'app',
    client_secret: clientSecret,
    tls_client_certificate_bound_access_tokens: true,
  });

  const app = express();
  const certificateOf = (incoming: express.Request) =>
    (incoming.socket as TLSSocket).getPeerX509Certificate()?.raw;
  app.use(
    auth({
      issuer,
      audience,
      jwksUri: `${server.url}/jwks`,
      tokenSigningAlg: 'ES256',
      mtls: { required: true, enabled: true },
      getCertificate: certificateOf,
    }),
  );
  app.get('/events', (_, response) => void response.end('in'));
  app.use(
    (_: unknown, __: express.Request, response: express.Response, ___: express.NextFunction) =>
      void response.status(401).end('out'),
  );
  recipient = createServer(
    { cert: own?.pem, key: own?.keyPem, requestCert: true, rejectUnauthorized: false },
    app,
  );
  await once(recipient.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  recipient.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** A request over TLS by the holder of this certificate, or of none. */
async function send(
  by: TestCertificate | undefined,
  options: RequestOptions,
  body = '',
): Promise<{ status: number; body: string }> {
  const identity = by === undefined ? {} : { cert: by.pem, key: by.keyPem };
  const outgoing = request({
    host: '127.0.0.1',
    ca: own?.pem,
    agent: false,
    ...identity,
    ...options,
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

describe('RFC 8705 §3: a token of this server at a released verifier, express-oauth2-jwt-bearer, in real handshakes with both', () => {
  const tokenOf = async (by: TestCertificate | undefined) => {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: basic('app', clientSecret),
    };
    const form = formBody({ grant_type: 'client_credentials', resource: audience });
    const { status, body } = await send(
      by,
      { port, path: '/token', method: 'POST', headers },
      form,
    );
    const { access_token: token, token_type: type } = JSON.parse(body) as Record<string, string>;
    expect([status, type]).toEqual([200, 'Bearer']);
    return String(token);
  };
  const call = async (by: TestCertificate | undefined, token: string, scheme = 'Bearer') => {
    const { port: there } = recipient.address() as AddressInfo;
    const { status, body } = await send(by, {
      port: there,
      path: '/events',
      headers: { authorization: `${scheme} ${token}` },
    });
    return `${status} ${body}`;
  };
  it('its holder only: not a thief with a certificate of the same name, nor one without', async () => {
    const token = await tokenOf(device);
    expect(await call(device, token)).toBe('200 in');
    expect(await call(thief, token)).toBe('401 out');
    expect(await call(undefined, token)).toBe('401 out');
    expect(await call(device, token, 'DPoP')).toBe('401 out');
  });
  it('a token of each certificate is good with that one', async () => {
    expect(await call(thief, await tokenOf(thief))).toBe('200 in');
    expect(await call(device, await tokenOf(thief))).toBe('401 out');
  });
});
