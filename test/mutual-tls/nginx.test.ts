import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { clientSecret, outcomeOf } from '../support/desk.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-request.ts';
import { basic, formBody, type TestServer, testServer } from '../support/server.ts';

const absent = spawnSync('nginx', ['-v']).error !== undefined;
if (absent) console.warn('There is no nginx: the suite behind a real nginx is skipped (apt-get install nginx).');

const grant = { grant_type: 'client_credentials' };
/** nginx speaks to the server from an address of its own, so that it can be told from everybody else on loopback. */
const proxyAddress = '127.0.0.2';

describe.skipIf(absent)('RFC 8705 behind a real nginx, configured as its page says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-nginx-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  let server: TestServer;
  let nginx: ChildProcess;
  let port: number;
  let own: TestCertificate;
  let ca: TestCertificate;
  let leaf: TestCertificate;
  let other: TestCertificate;
  let selfSigned: TestCertificate;

  beforeAll(async () => {
    const now = Date.now();
    const valid = { notBefore: now - 86_400_000, notAfter: now + 86_400_000 };
    ca = await certificate({ subject: 'CN=clients', ca: true, ...valid });
    leaf = await certificate({ subject: 'CN=device', issuer: ca, ...valid });
    other = await certificate({ subject: 'CN=other', issuer: ca, ...valid });
    selfSigned = await certificate({ subject: 'CN=device', ...valid });
    own = await certificate({ subject: 'CN=as', names: [{ type: 'ip', value: '127.0.0.1' }], ...valid });
    server = await testServer({ clock: { now }, env: { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: `${proxyAddress}/32` } });
    await server.admin('POST', 'resource-servers', { audience: 'https://mtls.example.com', cnf_methods_supported: ['x5t#S256'] });
    const bound = { tls_client_certificate_bound_access_tokens: true };
    await server.admin('POST', 'clients', { client_id: 'secret', client_secret: clientSecret, ...bound });
    await server.admin('POST', 'clients', {
      client_id: 'pki',
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=device',
      ...bound,
    });
    await server.admin('POST', 'clients', {
      client_id: 'self',
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [{ ...selfSigned.jwk, x5c: [selfSigned.der.toString('base64')] }] },
      ...bound,
    });
    port = await freePort();
    nginx = await startNginx();
  });
  afterAll(async () => {
    nginx.kill('SIGTERM');
    await once(nginx, 'exit');
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** The server block of the page, with this test's addresses and files in it. */
  function serverBlock(): string {
    const page = readFileSync(join(import.meta.dirname, '../../docs/front-doors/nginx.md'), 'utf8');
    const [, block = ''] = /```nginx\n([\s\S]*?)```/.exec(page) ?? [];
    const here: readonly (readonly [string, string])[] = [
      ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['/etc/nginx/tls.crt', file('tls.crt', own.pem)],
      ['/etc/nginx/tls.key', file('tls.key', own.keyPem)],
      ['/etc/nginx/clients-ca.crt', file('clients-ca.crt', ca.pem)],
      ['proxy_pass http://holdfast:8080;', `proxy_pass ${server.url}; proxy_bind ${proxyAddress};`],
    ];
    return here.reduce((lines, [there, mine]) => {
      expect(lines).toContain(there);
      return lines.replace(there, mine);
    }, block);
  }

  async function startNginx(): Promise<ChildProcess> {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`).join(' ');
    const configuration = file(
      'nginx.conf',
      `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; ${process.getuid?.() === 0 ? 'user root;' : ''}
       events {} http { access_log off; ${temporary} ${serverBlock()} }`,
    );
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const child = spawn('nginx', ['-p', folder, '-c', configuration, '-e', join(folder, 'error.log')], { stdio: 'ignore' });
    for (;;) {
      if (child.exitCode !== null) throw new Error(readFileSync(join(folder, 'error.log'), 'utf8'));
      const socket = connect({ host: '127.0.0.1', port, ca: own.pem });
      const reached = await Promise.race([once(socket, 'secureConnect').then(() => true), once(socket, 'close').then(() => false)]).catch(
        () => false,
      );
      socket.destroy();
      if (reached) return child;
      await sleep(50);
    }
  }

  type Asked = { by?: TestCertificate; form?: Record<string, string>; headers?: Record<string, string> };
  async function ask({ by, form = {}, headers = {} }: Asked) {
    const identity = by === undefined ? {} : { cert: by.pem, key: by.keyPem };
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path: '/token',
      method: 'POST',
      ca: own.pem,
      agent: false,
      ...identity,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
    outgoing.end(formBody({ ...grant, ...form }));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
  }
  const answer = async (asked: Asked) => outcomeOf(await ask(asked));
  const bySecret = { authorization: basic('secret', clientSecret) };

  it('§3: the token is bound to the certificate that nginx saw in the handshake', async () => {
    const { body } = await ask({ by: leaf, headers: bySecret });
    const [, claims = ''] = (JSON.parse(body) as { access_token: string }).access_token.split('.');
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ cnf: { 'x5t#S256': leaf.x5tS256 } });
  });
  it.each<[string, () => Asked, string]>([
    ['§2.1: tls_client_auth by a chain that nginx has verified', () => ({ by: leaf, form: { client_id: 'pki' } }), '200 x5t#S256'],
    ['§2.1: the subject without the chain', () => ({ by: selfSigned, form: { client_id: 'pki' } }), '401 invalid_client'],
    ['§2.1: the chain with another subject', () => ({ by: other, form: { client_id: 'pki' } }), '401 invalid_client'],
    ['§2.2: a registered self-signed certificate', () => ({ by: selfSigned, form: { client_id: 'self' } }), '200 x5t#S256'],
    ['§2.2: another certificate of the same subject', () => ({ by: leaf, form: { client_id: 'self' } }), '401 invalid_client'],
    ['§2: no certificate', () => ({ form: { client_id: 'pki' } }), '401 invalid_client'],
    ['§3: no certificate for a client whose tokens are bound to one', () => ({ headers: bySecret }), '400 invalid_request'],
  ])('%s', async (_rule, asked, expected) => {
    expect(await answer(asked())).toBe(expected);
  });

  // Every way in which the thief, who knows the public certificate of `leaf`, can say that it is his.
  const escaped = () => encodeURIComponent(leaf.pem);
  const der = () => leaf.der.toString('base64');
  const forms: readonly [string, () => Record<string, string>][] = [
    ['X-SSL-Client-Cert', () => ({ 'X-SSL-Client-Cert': escaped(), 'X-SSL-Client-Verify': 'SUCCESS' })],
    ['x_ssl_client_cert', () => ({ x_ssl_client_cert: escaped(), x_ssl_client_verify: 'SUCCESS' })],
    ['ssl_client_escaped_cert', () => ({ ssl_client_escaped_cert: escaped() })],
    ['Client-Cert', () => ({ 'Client-Cert': `:${der()}:` })],
    ['X-Forwarded-Client-Cert', () => ({ 'X-Forwarded-Client-Cert': `Cert="${escaped()}"` })],
    ['X-Amzn-Mtls-Clientcert-Leaf', () => ({ 'X-Amzn-Mtls-Clientcert-Leaf': escaped() })],
  ];
  describe.each(forms)('a client that smuggles %s in', (_name, headers) => {
    it('is not taken for the holder of that certificate, and binds nothing to it', async () => {
      expect(await answer({ form: { client_id: 'pki' }, headers: headers() })).toBe('401 invalid_client');
      expect(await answer({ by: other, form: { client_id: 'pki' }, headers: headers() })).toBe('401 invalid_client');
      const { body } = await ask({ by: other, headers: { ...bySecret, ...headers() } });
      const [, claims = ''] = (JSON.parse(body) as { access_token: string }).access_token.split('.');
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ cnf: { 'x5t#S256': other.x5tS256 } });
    });
    it('past nginx is refused, for its address is not trusted', async () => {
      const fields = Object.entries({ 'content-type': 'application/x-www-form-urlencoded', ...headers() });
      const direct = await rawRequest(`${server.url}/token`, 'POST', fields, formBody({ ...grant, client_id: 'pki' }));
      expect(outcomeOf(direct)).toBe('401 invalid_client');
    });
  });
});
