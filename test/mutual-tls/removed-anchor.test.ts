import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Agent, IncomingMessage } from 'node:http';
import { request, Agent as TlsAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { outcomeOf } from '../support/token-endpoint-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-anchors-'));
const file = (name: string, ...contents: string[]) => {
  writeFileSync(join(folder, name), contents.join(''));
  return join(folder, name);
};
const form = 'grant_type=client_credentials&client_id=pki';

let server: TestServer;
let port: number;
let [kept, removed, leaf, own]: TestCertificate[] = [];
beforeAll(async () => {
  kept = await certificate({ subject: 'CN=kept', ca: true });
  removed = await certificate({ subject: 'CN=removed', ca: true });
  leaf = await certificate({ subject: 'CN=device', issuer: removed });
  own = await certificate({ subject: 'CN=as' });
  port = await freePort();
  server = await testServer({
    clock: { now: Date.now() },
    env: {
      TLS_HOST: '127.0.0.1',
      TLS_PORT: String(port),
      TLS_CERT_FILE: file('cert.pem', own.pem),
      TLS_KEY_FILE: file('key.pem', own.keyPem),
      TLS_CLIENT_CA_FILE: file('ca.pem', kept.pem, removed.pem),
    },
  });
  await server.admin('POST', 'resource-servers', {
    audience: 'https://rs.example.com',
    cnf_methods_supported: ['x5t#S256'],
  });
  await server.admin('POST', 'clients', {
    client_id: 'pki',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=device',
    tls_client_certificate_bound_access_tokens: true,
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const identity = () => ({
  host: '127.0.0.1',
  port,
  rejectUnauthorized: false,
  cert: leaf?.pem ?? '',
  key: leaf?.keyPem ?? '',
});
/** What a request on a connection of its own comes to, once the server has taken up its files. */
const soon = (expected: string) =>
  expect.poll(async () => outcomeOf(await ask()), { timeout: 10_000 }).toBe(expected);

describe('an anchor that is taken out of TLS_CLIENT_CA_FILE', () => {
  it('counts no more on a connection that was open, in a session that is resumed, or in a new one', async () => {
    // Not idle when the anchors change, so that it is not closed then: its body is still to come.
    const open = connect({ ...identity() });
    await once(open, 'secureConnect');
    const session = new Promise<Buffer>((resolve) => open.once('session', resolve));
    const fields = 'Host: as.example.com\r\nContent-Type: application/x-www-form-urlencoded';
    const head = `POST /token HTTP/1.1\r\n${fields}\r\nContent-Length: ${form.length}\r\n\r\n`;
    const agent = new TlsAgent({ keepAlive: true, maxSockets: 1 });
    expect(outcomeOf(await ask(agent))).toBe('200 x5t#S256');
    const idle = new Promise((resolve) => sockets(agent)[0]?.once('close', resolve));
    open.write(head);
    // The head has been read when an answer on another connection has come.
    expect((await server.get('/health/live')).status).toBe(200);

    file('ca.pem', kept?.pem ?? '');
    await soon('401 invalid_client');
    open.write(form);
    const answer = await text(open);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    // One that idles is closed.
    await idle;
    const resumed = connect({ ...identity(), session: await session });
    await once(resumed, 'secureConnect');
    resumed.end(head + form);
    expect(await text(resumed)).toMatch(/^HTTP\/1\.1 401 /);
    expect(outcomeOf(await ask(agent))).toBe('401 invalid_client');

    file('ca.pem', kept?.pem ?? '', removed?.pem ?? '');
    await soon('200 x5t#S256');
    agent.destroy();
  });

  it('a renewed server certificate ends no connection', async () => {
    const agent = new TlsAgent({ keepAlive: true, maxSockets: 1 });
    const renewed = await certificate({ subject: 'CN=as, O=renewed' });
    await ask(agent);
    const [before] = sockets(agent);
    file('cert.pem', renewed.pem);
    file('key.pem', renewed.keyPem);
    await expect.poll(presented, { timeout: 10_000 }).toBe(renewed.x5tS256);
    expect(outcomeOf(await ask(agent))).toBe('200 x5t#S256');
    expect(sockets(agent)).toEqual([before]);
    agent.destroy();
  });
});

/** Connections that an agent keeps. */
function sockets(agent: Agent): readonly TLSSocket[] {
  return Object.values(agent.freeSockets).flat() as unknown as TLSSocket[];
}

/** Thumbprint of the server's certificate. */
async function presented(): Promise<string> {
  const socket = connect({ ...identity() });
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return createHash('sha256').update(raw).digest('base64url');
}

async function ask(agent: TlsAgent | false = false) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const outgoing = request({ ...identity(), agent, path: '/token', method: 'POST', headers });
  outgoing.end(form);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const body = await text(response);
  await new Promise(setImmediate);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
