import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import express from 'express';
import fastify from 'fastify';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenRequired as onExpress } from '../../packages/resource-server/src/express.ts';
import { tokenRequired as onFastify } from '../../packages/resource-server/src/fastify.ts';
import { resourceServer } from '../../packages/resource-server/src/resource-server.ts';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { randomJti } from '../support/keys.ts';
import { openPair, type Pair, seconds } from '../support/pair.ts';
import { fetchFrom, listening, presentedBy } from '../support/resource-server.ts';
import { issuer } from '../support/server.ts';

const audience = 'https://tls.example.com';
let [pair, device, thief, own, token]: [
  Pair,
  TestCertificate,
  TestCertificate,
  TestCertificate,
  string,
] = [] as never;
beforeAll(async () => {
  pair = await openPair();
  [device, thief] = [
    await certificate({ subject: 'CN=device' }),
    await certificate({ subject: 'CN=device' }),
  ];
  own = await certificate({ subject: 'CN=rs', names: [{ type: 'ip', value: '127.0.0.1' }] });
  await pair.server.admin('POST', 'resource-servers', {
    audience,
    alt_cnf_supported: true,
    cnf_methods_supported: ['jkt', 'x5t#S256'],
  });
  await pair.server.admin('POST', 'clients', {
    client_id: 'device',
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    jwks: { keys: [{ ...device.jwk, kid: 'tls-1', x5c: [device.der.toString('base64')] }] },
  });
  await pair.server.admin('PATCH', 'clients/app', { alt_cnf_holders: ['device'] });
  await pair.server.admin('POST', 'pairings', {
    requester: 'app',
    holder: 'device',
    mode: 'proof',
  });
  const claims = {
    iss: 'device',
    aud: issuer,
    client_id: 'app',
    cnf: { jkt: pair.appKey.jkt },
    iat: seconds,
    exp: seconds + 60,
    jti: randomJti(),
  };
  const proof = await new SignJWT({ ...claims, cnf_method: 'x5t#S256' })
    .setProtectedHeader({ alg: 'ES256', typ: 'cnf-proof+jwt', kid: 'tls-1' })
    .sign(device.keys.privateKey);
  token = (await pair.ask({ form: { resource: audience }, reqAltCnf: [{ proof }] })).body
    .access_token as string;
});
afterAll(async () => pair.server.stop());

const listeners = {
  async Fastify(): Promise<{ port: number; close(): Promise<unknown> }> {
    const app = fastify({
      https: { key: own.keyPem, cert: own.pem, requestCert: true, rejectUnauthorized: false },
    });
    app.get(
      '/events',
      { onRequest: onFastify(verifier(), { origin: audience })() },
      async ({ presented }) => presented,
    );
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { port: (app.server.address() as AddressInfo).port, close: async () => app.close() };
  },
  async Express(): Promise<{ port: number; close(): Promise<unknown> }> {
    const app = express();
    app.get(
      '/events',
      onExpress(verifier(), { origin: audience })(),
      (request, response) => void response.json(request.presented),
    );
    return listening(
      createServer(
        { key: own.keyPem, cert: own.pem, requestCert: true, rejectUnauthorized: false },
        app,
      ),
    );
  },
};
const verifier = () =>
  resourceServer({
    issuer: { issuer, altCnf: true },
    audience,
    clock: () => pair.server.clock.now,
    fetch: fetchFrom(pair.server),
  });

describe.each(['Fastify', 'Express'] as const)(
  "RFC 8705 §3: the certificate of the TLS connection, the adapter's default, on %s",
  (framework) => {
    let listener: Awaited<ReturnType<(typeof listeners)['Fastify']>>;
    beforeAll(async () => {
      listener = await listeners[framework]();
    });
    afterAll(async () => listener.close());
    const open = async (shown?: TestCertificate, session?: Buffer): Promise<TLSSocket> => {
      const socket = connect({
        host: '127.0.0.1',
        port: listener.port,
        ca: own.pem,
        ...(shown !== undefined && { key: shown.keyPem, cert: shown.pem }),
        ...(session !== undefined && { session }),
      });
      await once(socket, 'secureConnect');
      return socket;
    };
    const ask = async (socket: TLSSocket, authorization = `Bearer ${token}`) => {
      const headers = { authorization, connection: 'keep-alive' };
      const outgoing = request({
        createConnection: () => socket,
        path: '/events',
        headers,
        host: '127.0.0.1',
      });
      outgoing.end();
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      return presentedBy({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: await text(response),
      });
    };
    const once1 = async (shown?: TestCertificate, session?: Buffer) => {
      const socket = await open(shown, session);
      const answer = await ask(socket);
      socket.destroy();
      return answer;
    };

    it('lets its holder in, and nobody with another certificate of the same name, or with none', async () => {
      expect(await once1(device)).toBe('device by x5t#S256');
      expect(await once1(thief)).toBe('401 invalid_token');
      expect(await once1()).toBe('401 invalid_token');
    });
    it('a resumed session is the session of its certificate, whatever is shown on resuming it', async () => {
      const first = await open(device);
      const ticket = once(first, 'session');
      expect(await ask(first)).toBe('device by x5t#S256');
      const [session] = (await ticket) as [Buffer];
      first.destroy();
      const resumed = await open(undefined, session);
      expect([resumed.isSessionReused(), await ask(resumed)]).toEqual([true, 'device by x5t#S256']);
      resumed.destroy();
    });
  },
);
