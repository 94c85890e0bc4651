import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHolder, HolderError, type KeyAlgorithm } from '../../packages/client/src/client.ts';

const issuer = 'https://as.example.com';
const base = { issuer, clientId: 'reports', clientSecret: 's'.repeat(32), key: 'memory' };
/** As a program without types calls it. */
const made = createHolder as (options?: unknown) => ReturnType<typeof createHolder>;
const messageOf = async (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) =>
      error instanceof HolderError ? `${error.code}: ${error.message}` : `raw ${String(error)}`,
  );

describe('createHolder refuses wrong options, and names the option', () => {
  it.each<[what: string, options: object, message: RegExp]>([
    [
      'a timeout with a unit',
      { timeout: '5s' },
      /^invalid_options: timeout must be a whole number of milliseconds, 1 or more, not a string$/,
    ],
    ['no number', { timeout: Number.NaN }, /timeout must be .*, not NaN$/],
    [
      'one origin in place of a list',
      { origins: 'http://localhost:3000' },
      /origins must be a list, not a string$/,
    ],
    [
      'an origin without a scheme',
      { origins: ['localhost:3000'] },
      /origins\[0\] must be an http or https URL, not "localhost:3000"$/,
    ],
    ['a number as client', { clientId: 5 }, /clientId must be a non-empty string, not 5$/],
    ['a misspelt option', { scop: 'read' }, /unknown option scop; is scope meant\?$/],
    ['an option of something else', { redirectUri: issuer }, /unknown option redirectUri$/],
    [
      'an algorithm that makes no keys',
      { alg: 'RS256' },
      /alg must be one of ES256, .*, EdDSA, .*, not "RS256"$/,
    ],
    ['scopes as a list', { scope: ['read'] }, /scope must be a non-empty string, not a list$/],
    [
      'a switch as text',
      { allowInsecureRequests: 'false' },
      /allowInsecureRequests must be true or false, not a string$/,
    ],
    ['an object as nonces', { nonces: {} }, /nonces must be a Map, not an object$/],
    ['a time in place of a clock', { clock: 5 }, /clock must be a function, not 5$/],
    [
      'one additional holder in place of a list',
      { additionalHolders: { clientId: 'a', kid: 'b' } },
      /additionalHolders must be a list/,
    ],
    [
      'a variable that is not set',
      { clientSecret: undefined },
      /clientSecret is undefined: is the variable set\?$/,
    ],
    [
      'an empty secret',
      { clientSecret: '' },
      /clientSecret must be a non-empty string, not an empty string$/,
    ],
    [
      'a secret that is not set, in authentication',
      {
        clientSecret: undefined,
        authentication: { method: 'client_secret_post', secret: undefined },
      },
      /authentication.secret must be a non-empty string, not undefined: is the variable set\?$/,
    ],
    [
      'an unknown method',
      { clientSecret: undefined, authentication: { method: 'private_key' } },
      /authentication.method must be one of .*private_key_jwt.*, not "private_key"$/,
    ],
    [
      'an issuer without a scheme',
      { issuer: 'localhost:8080' },
      /issuer must begin with https:\/\/, or on this machine http:\/\/, and not be "localhost:8080"$/,
    ],
    [
      'an issuer that is not set',
      { issuer: undefined },
      /issuer must begin with https:.*undefined: is the variable set\?$/,
    ],
    [
      'plain HTTP',
      { issuer: 'http://as.example.com' },
      /only https is allowed, and http on this machine, not http:\/\/as.example.com$/,
    ],
  ])('%s', async (_, options, message) => {
    expect(await messageOf(made({ ...base, ...options }))).toMatch(message);
  });

  it('says how to authenticate when nothing says so', async () => {
    expect(await messageOf(made({ issuer, clientId: 'reports' }))).toMatch(
      /say how the client auth/,
    );
    expect(await messageOf(made())).toBe(
      'invalid_options: the options must be an object, not undefined: is the variable set?',
    );
  });

  it('checks the targets of for, exchange, actFor and withToken as well', async () => {
    const holder = (await made(base)) as unknown as Record<string, (...args: unknown[]) => unknown>;
    const attempt = async (name: string, ...args: unknown[]) => holder[name]?.(...args);
    const unknown = /^invalid_options: unknown option scop; is scope meant\?$/;
    expect(await messageOf(attempt('for', { scop: 'read' }))).toMatch(unknown);
    expect(await messageOf(attempt('exchange', { subjectToken: 'a', scop: 'read' }))).toMatch(
      unknown,
    );
    expect(await messageOf(attempt('actFor', async () => ({}), { scop: 'read' }))).toMatch(unknown);
    expect(await messageOf(attempt('withToken', 'token', { origin: issuer }))).toMatch(
      /unknown option origin; is origins meant\?$/,
    );
  });

  it.each<KeyAlgorithm>(['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'])(
    'accepts the algorithm %s of the types',
    async (alg) => {
      expect(await messageOf(made({ ...base, alg }))).toBe('accepted');
    },
  );
});

describe('what is said when the issuer is not where the options say', () => {
  let server: Server;
  let url: string;
  const answers: Record<string, [status: number, body: string]> = {};
  beforeAll(async () => {
    server = createServer((_, response) => {
      const [status, body] = answers['next'] ?? [404, ''];
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());
  const said = async (at: string) =>
    messageOf(made({ ...base, issuer: at }).then(async (holder) => holder.token()));
  const well = '/.well-known/oauth-authorization-server';

  it('another spelling of the issuer: which one its metadata have (RFC 8414 §3.3)', async () => {
    const other = url.replace('127.0.0.1', 'localhost');
    answers['next'] = [200, JSON.stringify({ issuer: other, token_endpoint: `${other}/token` })];
    expect(await said(url)).toBe(
      `server_metadata_invalid: ${url}${well} answered the metadata of the issuer ${other}, not of ${url}: set issuer to what it answered, if you trust it`,
    );
  });

  it.each<[string, number, string, string]>([
    [
      'something else',
      404,
      '{"message":"none"}',
      'server_metadata_invalid: URL answered 404: does an authorization server run there?',
    ],
    [
      'an outage',
      502,
      '',
      'server_unreachable: URL answered 502: does an authorization server run there?',
    ],
    [
      'a page',
      200,
      '<html>',
      'server_metadata_invalid: URL answered no metadata of an authorization server (RFC 8414)',
    ],
    [
      'an issuer that is no text',
      200,
      '{"issuer":"a\\nb"}',
      'server_metadata_invalid: URL answered no metadata of an authorization server (RFC 8414)',
    ],
  ])('%s at that URL', async (_, status, body, message) => {
    answers['next'] = [status, body];
    expect(await said(url)).toBe(message.replace('URL', url + well));
  });

  it('an answer that is none is not waited for', { timeout: 10_000 }, async () => {
    const holder = await createHolder({
      issuer: url,
      clientId: 'app',
      clientSecret: 'secret',
      timeout: 3_600_000,
      fetch: async () => new Response('gone', { status: 404 }),
    });
    await expect(holder.token()).rejects.toThrow('answered 404');
  });

  it('nobody: the code of the failure, even if each address of localhost has its own', async () => {
    const closed = await new Promise<number>((resolve) => {
      const other = createServer().listen(0, '127.0.0.1', () => {
        const { port } = other.address() as AddressInfo;
        other.close(() => resolve(port));
      });
    });
    for (const host of ['localhost', '127.0.0.1'])
      expect(await said(`http://${host}:${closed}`)).toBe(
        `server_unreachable: no answer of the authorization server at http://${host}:${closed}: ECONNREFUSED`,
      );
    expect(await said('http://localhost:9')).toMatch(/at http:\/\/localhost:9: bad port$/);
  });
});
