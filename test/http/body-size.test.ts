import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { adminToken, basic, type TestServer, testServer } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
  // The admin API is loaded by its first request, which takes its time on a busy machine.
  await server.admin('GET', 'clients');
});
afterAll(async () => server.stop());

/** Sends everything before it reads anything, as simple clients do. */
async function sent(url: string, head: readonly string[], body: Buffer): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.pause();
  const lines = [`POST ${pathname} HTTP/1.1`, `Host: ${hostname}`, ...head, '', ''];
  socket.write(lines.join('\r\n'));
  await new Promise<void>((done, failed) => {
    socket.once('error', failed);
    socket.write(body, () => done());
  });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (Buffer.concat(chunks).toString().endsWith('}')) socket.end();
  });
  socket.resume();
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

describe('a body of 10 MB is answered, and the answer can be read', () => {
  const body = Buffer.alloc(10_000_000, 'x');
  const length = `Content-Length: ${body.length}`;
  const chunked = Buffer.concat([
    Buffer.from(`${body.length.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ]);
  const admin = ['Content-Type: application/json', `Authorization: Bearer ${adminToken}`];
  const form = ['Content-Type: application/x-www-form-urlencoded'];
  it.each([
    ['admin API', '413', () => `${server.adminUrl}/admin/clients`, [...admin, length], body],
    [
      'admin API, chunked',
      '413',
      () => `${server.adminUrl}/admin/clients`,
      [...admin, 'Transfer-Encoding: chunked'],
      chunked,
    ],
    ['admin API, no token', '401', () => `${server.adminUrl}/admin/clients`, [length], body],
    ['token endpoint', '400', () => `${server.url}/token`, [...form, length], body],
    [
      'token endpoint, chunked',
      '400',
      () => `${server.url}/token`,
      [...form, 'Transfer-Encoding: chunked'],
      chunked,
    ],
  ] as const)('%s: %s', async (_, status, url, head, bytes) => {
    const answer = await sent(url(), head, bytes);
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toBeTypeOf('object');
  });
});

describe('RFC 6749 Appendix B: a form is UTF-8', () => {
  it.each([
    ['as bytes, in a value', Buffer.from('grant_type=client_credentials&scope=\xff', 'latin1')],
    ['as bytes, in a name', Buffer.from('grant_type=client_credentials&\xe9=x', 'latin1')],
    ['a surrogate as bytes', Buffer.from('scope=\xed\xa0\x80', 'latin1')],
    ['percent-encoded', Buffer.from('grant_type=client_credentials&scope=%ff')],
  ])('invalid_request before anything else: %s', async (_, body) => {
    const response = await fetch(`${server.url}/token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basic('nobody', clientSecret),
      },
      body: new Uint8Array(body),
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        error: 'invalid_request',
        error_description: expect.stringMatching(/^the form is not (percent-encoded )?UTF-8$/),
      },
    ]);
  });
});

describe('RFC 7517 §4: every member of a registered key has a bound', () => {
  const long = 'A'.repeat(200_000);
  it.each([
    ['x5c', [long]],
    ['kid', long],
    ['use', long],
    ['alg', long],
    ['key_ops', [long]],
    ['key_ops', Array.from({ length: 10_000 }, (_, index) => `op${index}`)],
    ['x5t#S256', long],
    ['x', long],
    ['crv', long],
    ['surprise', long],
  ])('%s', async (member, value) => {
    const jwk = { ...(await testKey()).jwk, [member]: value };
    const { status, body } = await server.admin('POST', 'clients', { jwks: { keys: [jwk] } });
    expect([status, body.member]).toEqual([400, `jwks.keys[0].${member}`]);
  });
  it('a chain of three certificates has room', async () => {
    const { jwk, der } = await certificate({ subject: 'CN=chain' });
    const chain = Array(3).fill(der.toString('base64')) as string[];
    const { status } = await server.admin('POST', 'clients', {
      jwks: { keys: [{ ...jwk, x5c: chain }] },
    });
    expect(status).toBe(201);
  });
});
