import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import {
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
} from '../support/gateway-program.ts';
import { gatewayProgramRules, oursIn } from '../support/gateway-program-rules.ts';
import { needs } from '../support/left-out.ts';

/** nginx with the page's lines. */
function nginx({
  folder,
  file,
  port,
  upstream,
  holdfast,
  own,
}: GatewayPlace): readonly [string, ...string[]] {
  const block = adapted(blocksOf('nginx.md', 'nginx', 'gateways')[0] ?? '', [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['/etc/nginx/tls.crt', file('tls.crt', own.pem)],
    ['/etc/nginx/tls.key', file('tls.key', own.keyPem)],
    ['127.0.0.1:8082', holdfast],
    ['127.0.0.1:3000', upstream],
    ['GATEWAY_TOKEN', gatewayToken],
  ]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  const configuration = `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {} http { access_log off; ${temporary} ${block} }`;
  mkdirSync(join(folder, 'logs'), { recursive: true });
  return ['nginx', '-p', folder, '-c', file('nginx.conf', configuration), '-e', 'stderr'];
}

describe.skipIf(!needs.nginx.isHere())(
  'nginx with auth_request, configured as its page says',
  { timeout: 30_000 },
  () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: nginx, env: { DPOP_NONCE: 'required' } });
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

    gatewayProgramRules(() => door, { namesScope: false });
  },
);
