import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import {
  type Call,
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
  smuggledFields,
} from '../support/gateway-program.ts';
import { gatewayProgramRules, leftOutRules, oursIn } from '../support/gateway-program-rules.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { needs, nginxModules } from '../support/left-out.ts';
import { ath } from '../support/pair.ts';
import { issuer } from '../support/server.ts';

const [asking = '', alone = ''] = blocksOf('nginx.md', 'nginx', 'gateways');
const [script = ''] = blocksOf('nginx.md', 'js', 'gateways');

/** nginx with lines of the page. */
function nginx(
  { folder, file, port, upstream, own }: GatewayPlace,
  lines: string,
  here: readonly (readonly [string, string])[],
  load = '',
): readonly [string, ...string[]] {
  const block = adapted(lines, [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['/etc/nginx/tls.crt', file('tls.crt', own.pem)],
    ['/etc/nginx/tls.key', file('tls.key', own.keyPem)],
    ['127.0.0.1:3000', upstream],
    ...here,
  ]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  const configuration = `${load} daemon off; worker_processes 1; pid ${join(folder, 'pid')}; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {} http { access_log off; ${temporary} ${block} }`;
  mkdirSync(join(folder, 'logs'), { recursive: true });
  return ['nginx', '-p', folder, '-c', file('nginx.conf', configuration), '-e', 'stderr'];
}

const withQuestion = (place: GatewayPlace, leftOut: readonly string[] = []) =>
  nginx(place, asking, [
    ...leftOut.map((text) => [text, ''] as const),
    ['127.0.0.1:8082', place.holdfast],
    ['GATEWAY_TOKEN', gatewayToken],
  ]);

function withNjs(place: GatewayPlace): readonly [string, ...string[]] {
  const { file } = place;
  const js = adapted(script, [
    ['https://as.example.com', issuer],
    ['/etc/nginx/holdfast-jwks.json', file('jwks.json', place.jwks)],
  ]);
  const here = [['/etc/nginx/holdfast.js', file('holdfast.js', js)]] as const;
  return nginx(place, alone, here, `load_module ${nginxModules}/ngx_http_js_module.so;`);
}

describe.skipIf(!needs.nginx.isHere())(
  'nginx with auth_request, configured as its page says',
  { timeout: 30_000 },
  () => {
    const env = { DPOP_NONCE: 'required' };
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: (place) => withQuestion(place), env });
    }, 30_000);
    afterAll(async () => door.close());

    it('RFC 8705 §3: a certificate-bound token is let in with its certificate, and with no other', async () => {
      const [mine, other] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      const { status, upstream } = await door.call({ ...bound, by: mine });
      expect([status, oursIn(upstream)['holdfast-key']]).toEqual([200, mine.x5tS256]);
      expect((await door.call({ ...bound, by: other })).status).toBe(401);
      expect((await door.call(bound)).status).toBe(401);
      for (const name of ['X-SSL-Client-Cert', 'Client-Cert', 'X-Forwarded-Client-Cert']) {
        const fields = [[name, encodeURIComponent(mine.pem)]] as const;
        expect((await door.call({ ...bound, fields })).status).toBe(401);
        expect((await door.call({ ...bound, fields, by: other })).status).toBe(401);
      }
    });

    it('the question itself cannot be asked by a client', async () => {
      expect((await door.call({ path: '/holdfast' })).status).toBe(404);
    });

    const field = 'proxy_set_header X-SSL-Client-Cert      $ssl_client_escaped_cert;';
    const verify = 'ssl_verify_client optional_no_ca;';
    leftOutRules(
      [
        { name: 'the line of the certificate', leftOut: [field] },
        { name: 'ssl_verify_client', leftOut: [verify] },
        { name: 'all for certificates', leftOut: [field, verify, '&certificate=true'] },
      ],
      async (leftOut) =>
        openGatewayProgram({ command: (place) => withQuestion(place, leftOut), env }),
    );
    gatewayProgramRules(() => door, { namesScope: false });
  },
);

describe.skipIf(!needs.nginx.isHere() || !needs.nginxJs.isHere())(
  'nginx with njs, without a question, as its page says',
  { timeout: 30_000 },
  () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: withNjs });
    }, 30_000);
    afterAll(async () => door.close());

    it('the holder is let in, and the API is told whose request it is', async () => {
      const { status, upstream } = await door.call({ path: '/things?x=1' });
      expect([status, oursIn(upstream)]).toEqual([
        200,
        { 'holdfast-subject': 'app', 'holdfast-client-id': 'app' },
      ]);
      expect((await door.call({ method: 'DELETE' })).status).toBe(200);
    });

    it.each<[string, (token: string) => Promise<Call>]>([
      ['no token', async () => ({ scheme: null, dpop: null })],
      ['a bearer token', async () => ({ scheme: 'Bearer', dpop: null })],
      ['no proof', async () => ({ dpop: null })],
      ['a proof that is none', async () => ({ dpop: 'a.b.c' })],
      [
        'a proof for another path',
        async (token) => ({ dpop: await door.proof(token, 'https://api.example.com/x') }),
      ],
      [
        'a proof for another method',
        async (token) => ({ dpop: await door.proof(token, undefined, 'PUT') }),
      ],
      ['a proof for another token', async () => ({ dpop: await door.proof(await door.token()) })],
      [
        'an old proof',
        async (token) => ({ dpop: await proofWith(token, { iat: Date.now() / 1000 - 61 }) }),
      ],
      [
        'a proof by another key',
        async (token) => ({ dpop: await proofWith(token, {}, await testKey()) }),
      ],
      ['a token that is changed', async (token) => ({ token: token.replace('.', '.A') })],
      [
        'a token without a signature',
        async (token) => ({ token: `${token.split('.').slice(0, 2).join('.')}.` }),
      ],
      ['a second proof', async (token) => ({ fields: [['DPoP', await door.proof(token)]] })],
      [
        'an assertion',
        async () => ({
          token: String(
            (await door.fixture.ask({ assertion: true })).headers['holdfast-assertion'],
          ),
        }),
      ],
    ])('%s is refused', async (_name, call) => {
      const token = await door.token();
      const { status, upstream } = await door.call({ token, ...(await call(token)) });
      expect([status, upstream]).toEqual([401, undefined]);
    });

    it('a token without the scope is refused', async () => {
      const { status, upstream } = await door.call({ token: await door.token('write') });
      expect([status, upstream]).toEqual([403, undefined]);
    });

    it.each(smuggledFields())('a client that sends %s: %s is nobody else', async (name, value) => {
      const { status, upstream } = await door.call({ fields: [[name, value]] });
      expect([status, oursIn(upstream)]).toEqual([
        200,
        { 'holdfast-subject': 'app', 'holdfast-client-id': 'app' },
      ]);
    });

    it('a replay is not seen, as its page says', async () => {
      const token = await door.token();
      const dpop = await door.proof(token);
      expect((await door.call({ token, dpop })).status).toBe(200);
      expect((await door.call({ token, dpop })).status).toBe(200);
    });

    async function proofWith(token: string, claims: object, by: TestKey = door.key) {
      const iat = Math.floor(Date.now() / 1000);
      const own = { htm: 'GET', htu: 'https://api.example.com/things', ath: ath(token), iat };
      return by.proof({ ...own, ...claims });
    }
  },
);
