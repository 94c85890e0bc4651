import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/config.ts';
import { identityFields } from '../../src/gateway/answers.ts';
import { certificate } from '../support/certificates.ts';
import { describeOn } from '../support/describe-on.ts';
import {
  apiOrigin,
  type GatewayFixture,
  gatewayFixture,
  gatewayForms,
} from '../support/gateway.ts';
import { ath } from '../support/pair.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { basic } from '../support/server.ts';
import { onSqlite, onSqliteAndRedis } from '../support/stores.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

const fixtures: GatewayFixture[] = [];
const open = async (...options: Parameters<typeof gatewayFixture>) => {
  const fixture = await gatewayFixture(...options);
  fixtures.push(fixture);
  return fixture;
};
afterEach(async () => {
  for (const fixture of fixtures.splice(0)) await fixture.server.stop();
});

describe('where gateways ask', () => {
  it.each([
    [{ GATEWAY_HOST: '0.0.0.0' }, 'GATEWAY_TOKEN is required'],
    [
      { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8' },
      'GATEWAY_TOKEN is required with CLIENT_CERTIFICATE_HEADER',
    ],
    [{ GATEWAY_TOKEN: 'short' }, 'GATEWAY_TOKEN must be'],
    [{ GATEWAY_PORT: 'unix:relative' }, 'absolute path'],
    [{ GATEWAY_PORT: '70000' }, 'GATEWAY_PORT must be a whole number'],
    [{ GATEWAY_PORT: '', GATEWAY_TOKEN: 'x'.repeat(32) }, 'GATEWAY_TOKEN needs GATEWAY_PORT'],
    [
      { GATEWAY_HOST: '10.0.0.1', GATEWAY_TOKEN: 'x'.repeat(32), DEVELOPMENT: 'true' },
      'GATEWAY_HOST on loopback',
    ],
  ])('%j is refused at the start', (env, sentence) => {
    const read = () => readConfig({ GATEWAY_PORT: '8082', ...env });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(sentence);
  });
  it('on a socket, which other users cannot open, certificates need no GATEWAY_TOKEN', () => {
    const env = { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8' };
    const { gateway } = readConfig({ ...env, GATEWAY_PORT: 'unix:/run/holdfast/gateway.sock' });
    expect(gateway).toEqual({ listen: { path: '/run/holdfast/gateway.sock' } });
  });
  it('without GATEWAY_PORT there is no such listener', () => {
    expect(readConfig({})).not.toHaveProperty('gateway');
  });
  it('GATEWAY_TOKEN may be in a file', () => {
    const env = { GATEWAY_PORT: '8082', GATEWAY_HOST: '0.0.0.0', GATEWAY_TOKEN_FILE: '/t' };
    expect(readConfig(env, () => `${'x'.repeat(32)}\n`).gateway).toEqual({
      listen: { host: '0.0.0.0', port: 8082 },
      token: 'x'.repeat(32),
    });
  });

  it('on loopback without a token anybody on this machine may ask, but not with one that nobody checks', async () => {
    const fixture = await open({ env: { GATEWAY_TOKEN: '' } });
    const without = ['Holdfast-Gateway-Token'];
    expect(await fixture.outcome({ without })).toBe('200 app');
    expect(await fixture.outcome()).toBe('403 gateway_token_mismatch');
  });

  it('on a Unix socket', async () => {
    const socketPath = join(scratchFolder(), 'gateway.sock');
    const fixture = await open({ env: { GATEWAY_PORT: `unix:${socketPath}`, GATEWAY_TOKEN: '' } });
    const token = await fixture.token();
    const outgoing = request({
      socketPath,
      path: `/auth-request?audience=${encodeURIComponent(apiOrigin)}`,
      headers: {
        'X-Original-Method': 'GET',
        'X-Original-URL': `${apiOrigin}/things`,
        Authorization: `DPoP ${token}`,
        DPoP: await fixture.proof(token),
      },
    }).end();
    const [response] = await once(outgoing, 'response');
    expect([response.statusCode, response.headers['holdfast-subject']]).toEqual([200, 'app']);
    expect(modeOf(socketPath)).toBe('660');
    response.resume();
  });
});

describe('a process of its own with two workers, on a Unix socket', { timeout: 60_000 }, () => {
  it('is asked there, and again after it was killed, though its socket was left behind', async () => {
    const store = await onSqlite.make();
    const socketPath = join(scratchFolder(), 'gateway.sock');
    const env = { ...store.env, WORKERS: '2', GATEWAY_PORT: `unix:${socketPath}` };
    const statusOf = async () => {
      const outgoing = request({ socketPath, path: '/auth-request', agent: false }).end();
      const [response] = await once(outgoing, 'response');
      response.resume();
      return response.statusCode as number;
    };
    const umask = process.umask(0);
    const first = await startProcess(env, await freeAddress()).finally(() => process.umask(umask));
    expect(modeOf(socketPath)).toBe('660');
    expect([await statusOf(), await statusOf()]).toEqual([403, 403]);
    await first.said(new RegExp(`gateways   unix:${socketPath}\n`));
    await first.end('SIGKILL');
    await expect.poll(async () => statusOf().catch(() => 'gone'), { timeout: 10_000 }).toBe('gone');
    expect(existsSync(socketPath)).toBe(true);
    const second = await startProcess(env, await freeAddress());
    expect(await statusOf()).toBe(403);
    await second.end('SIGTERM');
    await store.remove();
  });
});

describe('DPOP_NONCE=required', () => {
  it('RFC 9449 §9: the refusal brings a nonce, which the next proof uses', async () => {
    const fixture = await open({ env: { DPOP_NONCE: 'required' } });
    const answer = await fixture.server.post(
      '/token',
      { grant_type: 'client_credentials' },
      { authorization: basic('app', clientSecret), dpop: await fixture.key.proof() },
    );
    const first = answer.headers.get('dpop-nonce') ?? '';
    const { body } = await fixture.server.post(
      '/token',
      { grant_type: 'client_credentials' },
      {
        authorization: basic('app', clientSecret),
        dpop: await fixture.key.proof({ nonce: first }),
      },
    );
    const token = body.access_token as string;
    const { status, headers } = await fixture.ask({ token });
    expect([status, headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^DPoP algs="[^"]+", error="use_dpop_nonce"/),
    ]);
    const nonce = headers['dpop-nonce'];
    const path = `resource-servers/${fixture.resourceServerId}`;
    await fixture.server.admin('PATCH', path, { gateway_mode: 'report' });
    expect((await fixture.ask({ token })).headers).toMatchObject({
      'holdfast-would-refuse': 'nonce_missing',
      'dpop-nonce': nonce,
    });
    await fixture.server.admin('PATCH', path, { gateway_mode: 'enforce' });
    const dpop = await fixture.proof(token, undefined, undefined, { nonce });
    expect(await fixture.outcome({ token, dpop })).toBe('200 app');
  });
});

describe('certificate-bound tokens (RFC 8705 §3)', () => {
  it('are let in with the certificate that the gateway says it forwards, and with no other', async () => {
    const [mine, other] = [
      await certificate({ subject: 'CN=mine' }),
      await certificate({ subject: 'CN=other' }),
    ];
    const field = (of: typeof mine) => [['X-SSL-Client-Cert', encodeURIComponent(of.pem)]] as const;
    const fixture = await open({
      env: { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8' },
    });
    await fixture.server.admin('POST', 'clients', {
      client_id: 'device',
      client_secret: clientSecret,
      tls_client_certificate_bound_access_tokens: true,
    });
    const { body } = await fixture.server.post(
      '/token',
      { grant_type: 'client_credentials', resource: apiOrigin },
      {
        authorization: basic('device', clientSecret),
        'x-ssl-client-cert': encodeURIComponent(mine.pem),
      },
    );
    const bound = { token: body.access_token as string, scheme: 'Bearer', dpop: null };
    const asked = { ...bound, certificate: true };
    const { status, headers } = await fixture.ask({ ...asked, fields: field(mine) });
    expect([status, headers['holdfast-presenter'], headers['holdfast-key']]).toEqual([
      200,
      'device',
      mine.x5tS256,
    ]);
    const rows: [string, readonly (readonly [string, string])[]][] = [
      ['401 token_as_bearer', []],
      ['401 token_as_bearer', [['X-SSL-Client-Cert', '']]],
      ['401 key_mismatch', field(other)],
      ['401 certificate_header_conflict', [...field(other), ...field(mine)]],
      ['401 certificate_header_conflict', [...field(mine), ['Client-Cert', ':AA==:']]],
      ['401 certificate_header_conflict', [...field(mine), ['X-SSL-Client-Verify', 'NONE']]],
      ['401 certificate_header_malformed', [['X-SSL-Client-Cert', 'x']]],
    ];
    for (const [expected, fields] of rows)
      expect(await fixture.outcome({ ...asked, fields })).toBe(expected);
    for (const form of gatewayForms)
      for (const certificate of [undefined, true]) {
        const outcome = await fixture.outcome({ ...bound, form, certificate, fields: field(mine) });
        expect(outcome).toBe(certificate ? '200 device' : '401 token_as_bearer');
      }
    const token = asked.token;
    const dpop = await fixture.key.proof({
      htm: 'GET',
      htu: `${apiOrigin}/things`,
      ath: ath(token),
    });
    expect(await fixture.outcome({ token, dpop, fields: field(mine) })).toBe('401 key_mismatch');
  });
});

describe('header fields of an answer', () => {
  it('hold any subject safely: what is not printable ASCII is percent-encoded, and can be had back', async () => {
    const client_id = 'a%"b,c;=\\';
    const fixture = await open();
    await fixture.server.admin('POST', 'clients', {
      client_id,
      client_secret: clientSecret,
      scope: 'read',
    });
    const token = await fixture.token(fixture.key, client_id);
    const { headers } = await fixture.ask({ token });
    expect(headers['holdfast-subject']).toBe('a%25"b,c;=\\');
    expect(decodeURIComponent(String(headers['holdfast-client-id']))).toBe(client_id);
  });
});

describe('identityFields', () => {
  it.each([
    ['a\r\nX-Admin: yes', 'a%0D%0AX-Admin:%20yes'],
    ['Jürgen', 'J%C3%BCrgen'],
    [' padded ', '%20padded%20'],
    ['100%', '100%25'],
    ['\u{1f511}\0', '%F0%9F%94%91%00'],
    ['https://login.example.com/|7', 'https://login.example.com/|7'],
  ])('write %j as %s', (sub, expected) => {
    const claims = { sub, client_id: sub, jti: 'j', scope: 'read write' };
    const fields = identityFields({ claims, presenter: sub, thumbprint: 't' } as never);
    expect(fields).toEqual({
      'Holdfast-Subject': expected,
      'Holdfast-Client-Id': expected,
      'Holdfast-Presenter': expected,
      'Holdfast-Scope': 'read write',
      'Holdfast-Key': 't',
      'Holdfast-Token-Id': 'j',
    });
    expect(decodeURIComponent(expected)).toBe(sub);
  });
});

describeOn(onSqliteAndRedis)('the replay store away', () => {
  it('503: nobody is let in on a proof that may have been used; in report it is what would be refused', async () => {
    const store = await onSqliteAndRedis.make();
    const url = new URL(store.env['REDIS_URL'] ?? '');
    const proxy = await tcpProxy(Number(url.port || 6379));
    url.host = `127.0.0.1:${proxy.port}`;
    const fixture = await open({ store: { ...store, env: { ...store.env, REDIS_URL: url.href } } });
    const token = await fixture.token();
    const proofs = [await fixture.proof(token), await fixture.proof(token)];
    await proxy.set('refused');
    const { status, headers } = await fixture.ask({ token, dpop: proofs[0] ?? '' });
    expect([status, headers['retry-after'], headers['www-authenticate']]).toEqual([
      503,
      '1',
      undefined,
    ]);
    const path = `resource-servers/${fixture.resourceServerId}`;
    await fixture.server.admin('PATCH', path, { gateway_mode: 'report' });
    expect(await fixture.outcome({ token, dpop: proofs[0] ?? '' })).toBe('200 store_unavailable');
    await proxy.set('open');
    for (let tries = 0; tries < 100; tries++) {
      if ((await fixture.outcome().catch(() => 'no token')) === '200 app') break;
      await sleep(100);
    }
    expect(await fixture.outcome({ token, dpop: proofs[1] ?? '' })).toBe('200 app');
    await proxy.close();
  });
});
