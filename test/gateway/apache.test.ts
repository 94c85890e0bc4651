import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  certificateHeaderForms,
  certificateHeaderNames,
} from '../../src/x509/certificate-header.ts';
import { adapted, blocksOf } from '../support/front-door.ts';
import {
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
  smuggledFields,
} from '../support/gateway-program.ts';
import { oursIn } from '../support/gateway-program-rules.ts';
import { apacheModules, needs } from '../support/left-out.ts';
import { issuer } from '../support/server.ts';

const [certificates = ''] = blocksOf('apache.md', 'apache', 'gateways');
const names = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'ssl', 'oauth2', 'headers'];
const modules = [...names, 'setenvif', 'proxy', 'proxy_http']
  .map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`)
  .join('\n');

/** Apache with the page's lines. */
function apache(place: GatewayPlace): readonly [string, ...string[]] {
  const { folder, file, port, upstream, own, server } = place;
  const block = adapted(certificates, [
    ['Listen 443', `Listen 127.0.0.1:${port}`],
    ['/etc/apache2/tls.crt', file('tls.crt', own.pem)],
    ['/etc/apache2/tls.key', file('tls.key', own.keyPem)],
    ['https://as.example.com/jwks', `${server.url}/jwks`],
    ['https://as.example.com', issuer],
    ['127.0.0.1:3000', upstream],
  ]);
  mkdirSync(join(folder, 'public'), { recursive: true });
  const site = `ServerName api.example.com
ServerRoot ${folder}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
LogLevel warn
${modules}
Mutex file:${folder}
SSLSessionCache none
DocumentRoot ${folder}/public
${block}`;
  return ['apache2', '-X', '-f', file('site.conf', site)];
}

describe.skipIf(!needs.apache.isHere())(
  'Apache with mod_oauth2, configured as its page says',
  { timeout: 30_000 },
  () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: apache });
    }, 30_000);
    afterAll(async () => door.close());

    it('RFC 8705 §3: the holder of the certificate is let in, and nobody else', async () => {
      const [mine, other] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      const got = await door.call({ ...bound, by: mine });
      expect([got.status, got.upstream?.['oauth2-client_id']]).toEqual([200, 'device']);
      expect((await door.call({ ...bound, by: other })).status).toBe(401);
      expect((await door.call(bound)).status).toBe(401);
      expect((await door.call({ scheme: null, dpop: null, by: mine })).status).toBe(401);
    });
    it('no token of another kind, audience or scope is', async () => {
      const [mine] = await door.certificates();
      const call = { scheme: 'Bearer', dpop: null, by: mine };
      const { server } = door.fixture;
      await server.admin('POST', 'resource-servers', {
        audience: 'https://other.example.com',
        cnf_methods_supported: ['x5t#S256'],
      });
      const tokens = [
        await door.token(),
        await door.certificateToken(mine, 'https://other.example.com'),
        String((await door.fixture.ask({ assertion: true })).headers['holdfast-assertion']),
      ];
      for (const token of tokens) {
        const { status, upstream } = await door.call({ ...call, token });
        expect([status >= 400, upstream]).toEqual([true, undefined]);
      }
    });
    it('no field of ours, and none of its own, reaches the API from a client', async () => {
      const [mine] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      const own = [
        ['Oauth2-client_id', 'admin'],
        ['OAUTH2-sub', 'admin'],
        ['Oauth2_sub', 'admin'],
        ['Oauth2-invented', 'admin'],
        ['OAUTH2-CLIENT-ID', 'admin'],
        ['Oauth2_client-id', 'admin'],
        ['Oauth2-client-id', ''],
        ['Holdfast-Scope', ''],
        ['Connection', 'Oauth2-client_id'],
        ['Connection', 'keep-alive, oauth2-SUB'],
        ...certificateHeaderForms.map((form) => [certificateHeaderNames[form], 'admin'] as const),
        ['X-SSL-Client-Verify', 'admin'],
      ] as const;
      for (const field of [...smuggledFields(), ...own]) {
        const { status, upstream } = await door.call({ ...bound, by: mine, fields: [field] });
        expect([200, 401, 403]).toContain(status);
        if (upstream === undefined) continue;
        expect([field, oursIn(upstream)]).toEqual([field, {}]);
        expect(JSON.stringify(upstream)).not.toContain('admin');
        const {
          'oauth2-client_id': client,
          'oauth2-sub': sub,
          'oauth2-client-id': none,
        } = upstream;
        expect([field, client, sub, none]).toEqual([field, 'device', 'device', undefined]);
      }
    });
  },
);
