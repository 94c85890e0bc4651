import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawMessage } from '../support/raw-message.ts';
import { basic } from '../support/server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const form = 'grant_type=client_credentials';
const chunks = `${form.length.toString(16)}\r\n${form}\r\n0\r\n\r\n`;
const length = `Content-Length: ${form.length}`;

let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
});
afterAll(async () => fixture.server.stop());

/** A whole token request; `first` is its request line, `fields` come after what every request has. */
const ask = async (first: string, fields: readonly string[], body = form) =>
  rawMessage(
    fixture.server.url,
    [
      first,
      'Host: as.example.com',
      `Authorization: ${basic('app', clientSecret)}`,
      `DPoP: ${await fixture.key.proof()}`,
      'Content-Type: application/x-www-form-urlencoded',
      'Connection: close',
      ...fields,
    ],
    body,
  );
const status = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const bodyOf = (answer: string) =>
  JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
const post = 'POST /token HTTP/1.1';

describe('RFC 9112: what is read in one way only', () => {
  it.each([
    ['a length', post, [length], form],
    ['chunks', post, ['Transfer-Encoding: chunked'], chunks],
    ['HTTP/1.0', 'POST /token HTTP/1.0', [length], form],
    [
      'an absolute target: the host counts nowhere',
      'POST http://evil.example/token HTTP/1.1',
      [length],
      form,
    ],
    ['a content coding that is none', post, [length, 'Content-Encoding: identity'], form],
  ] as const)('%s: a token', async (_, first, fields, body) => {
    const answer = await ask(first, fields, body);
    expect([status(answer), answer.includes('"access_token"')]).toEqual([200, true]);
  });

  it.each([
    ['length and chunks at once (§6.3)', post, [length, 'Transfer-Encoding: chunked'], chunks, 400],
    ['two lengths', post, [length, 'Content-Length: 1'], form, 400],
    ['a length with a sign', post, [`Content-Length: +${form.length}`], form, 400],
    ['another transfer coding (§6.1)', post, ['Transfer-Encoding: gzip, chunked'], chunks, 400],
    ['an unknown transfer coding', post, ['Transfer-Encoding: xchunked'], form, 400],
    ['a content coding (RFC 9110 §8.4)', post, [length, 'Content-Encoding: gzip'], form, 400],
    ['two hosts (§3.2)', post, [length, 'Host: evil.example'], form, 400],
    ['a folded field (§5.2)', post, [length, 'X-A: b\r\n c'], form, 400],
    ['a space before the colon (§5.1)', post, [length, 'X-A : b'], form, 400],
    ['a zero octet in a field', post, [length, 'X-A: b\0c'], form, 400],
    [
      'a head beyond every limit (RFC 6585 §5)',
      post,
      [length, `X-A: ${'x'.repeat(40_000)}`],
      form,
      431,
    ],
    ['a target that is not percent-encoded', 'POST /%zz HTTP/1.1', [length], form, 400],
    ['a target that is no UTF-8', 'GET /clients/%ff/jwks HTTP/1.1', [], '', 400],
    ['a zero octet in the target', 'GET /clients/%00/jwks HTTP/1.1', [], '', 400],
    ['a name beyond every limit', `GET /clients/${'x'.repeat(3000)}/jwks HTTP/1.1`, [], '', 400],
    ['no HTTP at all', 'garbage', [], '', 400],
  ] as const)(
    '%s: refused in OAuth words, with nothing of what was sent',
    async (_, first, fields, body, expected) => {
      const answer = await ask(first, fields, body);
      expect([status(answer), bodyOf(answer)]).toEqual([
        expected,
        { error: 'invalid_request', error_description: expect.any(String) },
      ]);
      expect(answer.toLowerCase()).toContain('cache-control: no-store');
      expect(answer).not.toMatch(/FST_|access_token|%zz|%ff|xxx/);
    },
  );

  it.each([
    ['two hosts (§3.2)', ['Host: evil.example'], 400],
    ['an unknown transfer coding', ['Transfer-Encoding: xchunked'], 400],
    ['a content coding', ['Content-Encoding: gzip'], 400],
    ['nothing of the kind', [], 200],
  ] as const)('%s at a document: the same rules', async (_, fields, expected) => {
    const answer = await rawMessage(fixture.server.url, [
      'GET /jwks HTTP/1.1',
      'Host: as.example.com',
      'Connection: close',
      ...fields,
    ]);
    expect(status(answer)).toBe(expected);
  });

  it.each(['/token/', '//token', '/x/../token', '/Token', '/token;a=b'])(
    '%s is another path',
    async (path) => {
      expect(status(await ask(`POST ${path} HTTP/1.1`, [length]))).toBe(404);
    },
  );

  it('no field and no query makes another method of it, or carries parameters', async () => {
    expect(status(await ask('GET /token HTTP/1.1', ['X-HTTP-Method-Override: POST'], ''))).toBe(
      405,
    );
    expect(
      bodyOf(await ask(`POST /token?${form} HTTP/1.1`, ['Content-Length: 0'], ''))['error'],
    ).toBe('invalid_request');
    const secretInQuery = await rawMessage(
      fixture.server.url,
      [
        `POST /token?client_id=app&client_secret=${clientSecret} HTTP/1.1`,
        'Host: x',
        'Content-Type: application/x-www-form-urlencoded',
        'Connection: close',
        length,
      ],
      form,
    );
    expect(bodyOf(secretInQuery)['error']).toBe('invalid_client');
  });
});

describe('a connection that is used again', () => {
  const document = 'GET /jwks HTTP/1.1\r\nHost: as.example.com\r\n\r\n';
  /** Sends each part when the one before it has been answered, and gives the status of every answer until the server closed. */
  const converse = async (...parts: readonly string[]) => {
    const { hostname, port } = new URL(fixture.server.url);
    const socket = connect(Number(port), hostname);
    const all = text(socket);
    for (const [index, part] of parts.entries()) {
      const answered = index < parts.length - 1 && once(socket, 'data');
      socket.write(part);
      await answered;
    }
    return [...(await all).matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => Number(code));
  };

  it.each([
    ['a head beyond every limit', `GET /jwks HTTP/1.1\r\nX-A: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['no HTTP at all', 'garbage\r\n\r\n', 400],
    [
      'a body that is not in chunks',
      'POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
  ])('%s is answered there, too', async (_, message, expected) => {
    expect(await converse(document, document, message)).toEqual([200, 200, expected]);
  });
  it('a fault in the body of what was answered by its head gets no second answer', async () => {
    const head = 'POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect((await converse(document, head, 'zz\r\n')).length).toBeLessThanOrEqual(2);
  });
  it('nothing overtakes the answer to an earlier message', async () => {
    const slow = `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n${length}\r\n\r\n${form}`;
    expect((await converse(document, `${slow}garbage\r\n\r\n`))[1]).not.toBe(400);
  });
});
