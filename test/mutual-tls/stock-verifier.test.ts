import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { apacheModules, needs } from '../support/left-out.ts';
import { freePort } from '../support/ports.ts';
import { basic, formBody, type TestServer, testServer } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const absent = !needs.apache.isHere();

/** A resource server that others have written, with what a resource server knows of this one: the address of its JWK Set. */
const site = (folder: string, port: number, jwks: string) => `
ServerName rs.example.com
ServerRoot ${folder}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
LogLevel warn
${['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'ssl', 'oauth2'].map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`).join('\n')}
Mutex file:${folder}
SSLSessionCache none
Listen 127.0.0.1:${port}
DocumentRoot ${folder}/public
SSLEngine on
SSLCertificateFile ${folder}/own.pem
SSLCertificateKeyFile ${folder}/own.key
SSLVerifyClient optional_no_ca
SSLOptions +StdEnvVars +ExportCertData
<Location />
  AuthType oauth2
  OAuth2TokenVerify jwks_uri ${jwks} type=mtls&mtls.policy=required&verify.exp=required
  Require valid-user
</Location>
`;

describe.skipIf(absent)(
  'RFC 8705 §3: a token bound to a certificate, as Apache with mod_oauth2 verifies it',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-apache-'));
    const clock = { now: Date.now() };
    const valid = { notBefore: clock.now - 86_400_000, notAfter: clock.now + 86_400_000 };
    let server: TestServer;
    let mine: TestCertificate;
    let others: TestCertificate;
    let own: TestCertificate;
    let port: number;
    let apache: ReturnType<typeof spawn>;

    const tokenFor = async (by: TestCertificate): Promise<string> => {
      const form = formBody({
        grant_type: 'client_credentials',
        resource: 'https://rs.example.com',
      });
      const fields = {
        authorization: basic('app', clientSecret),
        'x-ssl-client-cert': encodeURIComponent(by.pem),
      };
      const { status, body } = await server.post('/token', form, fields);
      expect([status, body.token_type]).toEqual([200, 'Bearer']);
      return body.access_token as string;
    };
    const call = async (
      token: string | undefined,
      by: TestCertificate | undefined,
    ): Promise<readonly [number, string]> => {
      const outgoing = request({
        host: '127.0.0.1',
        port,
        path: '/thing.txt',
        agent: false,
        // Apache is the one under test, and its certificate is made up.
        ca: own.pem,
        ...(by !== undefined && { cert: by.pem, key: by.keyPem }),
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      }).end();
      const [response] = await once(outgoing, 'response');
      return [response.statusCode as number, await text(response)];
    };

    beforeAll(async () => {
      [mine, others] = [
        await certificate({ subject: 'CN=mine', ...valid }),
        await certificate({ subject: 'CN=others', ...valid }),
      ];
      own = await certificate({
        subject: 'CN=rs',
        names: [{ type: 'ip', value: '127.0.0.1' }],
        ...valid,
      });
      server = await testServer({
        clock,
        env: { CLIENT_CERTIFICATE_HEADER: 'nginx', TRUSTED_PROXIES: '127.0.0.0/8, ::1/128' },
      });
      await server.admin('POST', 'resource-servers', {
        audience: 'https://rs.example.com',
        cnf_methods_supported: ['x5t#S256'],
      });
      await server.admin('POST', 'resource-servers', { audience: 'https://other.example.com' });
      const client = {
        client_id: 'app',
        client_secret: clientSecret,
        tls_client_certificate_bound_access_tokens: true,
      };
      await server.admin('POST', 'clients', client);
      await server.admin('POST', 'clients', { client_id: 'dpop', client_secret: clientSecret });
      port = await freePort();
      mkdirSync(join(folder, 'public'));
      writeFileSync(join(folder, 'public/thing.txt'), 'the thing');
      writeFileSync(join(folder, 'own.pem'), own.pem);
      writeFileSync(join(folder, 'own.key'), own.keyPem);
      writeFileSync(join(folder, 'site.conf'), site(folder, port, `${server.url}/jwks`));
      apache = spawn('apache2', ['-X', '-f', join(folder, 'site.conf')], { stdio: 'inherit' });
      for (let tries = 0; ; tries++) {
        const answered = await call(undefined, undefined).then(
          () => true,
          () => false,
        );
        if (answered) break;
        if (tries === 100 || apache.exitCode !== null)
          throw new Error(
            `Apache did not start: ${readFileSync(join(folder, 'error.log'), 'utf8')}`,
          );
        await sleep(100);
      }
    }, 30_000);
    afterAll(async () => {
      apache.kill('SIGTERM');
      await once(apache, 'exit');
      await server.stop();
      rmSync(folder, { recursive: true });
    });

    it('its holder is let in, and nobody else', async () => {
      const token = await tokenFor(mine);
      expect(decodeJwt<{ cnf: object }>(token).cnf).toEqual({ 'x5t#S256': mine.x5tS256 });
      expect(await call(token, mine)).toEqual([200, 'the thing']);
      expect((await call(token, others))[0]).toBe(401);
      expect((await call(token, undefined))[0]).toBe(401);
      expect((await call(undefined, mine))[0]).toBe(401);
      expect((await call(await tokenFor(others), others))[0]).toBe(200);
    });

    it('a token bound by jkt is no token for a certificate', async () => {
      const fields = {
        authorization: basic('dpop', clientSecret),
        dpop: await (await testKey()).proof({ iat: Math.floor(clock.now / 1000) }),
      };
      const { status, body } = await server.post(
        '/token',
        formBody({ grant_type: 'client_credentials', resource: 'https://other.example.com' }),
        fields,
      );
      expect(status).toBe(200);
      expect((await call(body.access_token as string, mine))[0]).toBe(401);
    });
  },
);
