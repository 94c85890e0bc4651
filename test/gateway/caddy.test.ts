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

/** Caddy with the page's lines. */
function caddy({
  folder,
  file,
  port,
  upstream,
  holdfast,
  own,
}: GatewayPlace): readonly [string, ...string[]] {
  const block = adapted(blocksOf('caddy.md', 'caddyfile', 'gateways')[0] ?? '', [
    ['https://api.example.com {', `https://api.example.com:${port} {\n\tbind 127.0.0.1`],
    ['/etc/caddy/tls.crt', file('tls.crt', own.pem)],
    ['/etc/caddy/tls.key', file('tls.key', own.keyPem)],
    ['127.0.0.1:8082', holdfast],
    ['127.0.0.1:3000', upstream],
    ['GATEWAY_TOKEN', gatewayToken],
  ]);
  const options = `{\n\tadmin off\n\tauto_https off\n\tstorage file_system ${folder}/data\n}\n`;
  const path = file('Caddyfile', options + block);
  return [
    'env',
    `XDG_CONFIG_HOME=${folder}`,
    'caddy',
    'run',
    '--config',
    path,
    '--adapter',
    'caddyfile',
  ];
}

describe.skipIf(!needs.caddy.isHere())(
  'Caddy with forward_auth, configured as its page says',
  { timeout: 30_000 },
  () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      const env = { DPOP_NONCE: 'required', CLIENT_CERTIFICATE_HEADER: 'rfc9440' };
      door = await openGatewayProgram({ command: caddy, env });
    }, 30_000);
    afterAll(async () => door.close());

    it('RFC 8705 §3: a certificate-bound token is let in with its certificate, and with no other', async () => {
      const [mine, other] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      const { status, upstream } = await door.call({ ...bound, by: mine });
      expect([status, oursIn(upstream)['holdfast-key']]).toEqual([200, mine.x5tS256]);
      expect((await door.call({ ...bound, by: other })).status).toBe(401);
      expect((await door.call(bound)).status).toBe(401);
      const fields = [['Client-Cert', `:${mine.der.toString('base64')}:`]] as const;
      expect((await door.call({ ...bound, fields })).status).toBe(401);
      expect((await door.call({ ...bound, fields, by: other })).status).toBe(401);
    });

    gatewayProgramRules(() => door, { reports: false });
  },
);
