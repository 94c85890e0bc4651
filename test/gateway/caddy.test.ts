import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import {
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
} from '../support/gateway-program.ts';
import { gatewayProgramRules, leftOutRules, oursIn } from '../support/gateway-program-rules.ts';
import { needs } from '../support/left-out.ts';

const [page = ''] = blocksOf('caddy.md', 'caddyfile', 'gateways');

/** Lines that the page lets one leave out. */
const certificateField =
  '\t\t\theader_up Client-Cert :{http.request.tls.client.certificate_der_base64}:\n';
const clientAuth = ' {\n\t\tclient_auth {\n\t\t\tmode request\n\t\t}\n\t}';
const parameter = '&certificate=true';

/** Caddy with the page's lines, or without some. */
function caddy(
  { folder, file, port, upstream, holdfast, own }: GatewayPlace,
  leftOut: readonly string[] = [],
): readonly [string, ...string[]] {
  const block = adapted(page, [
    ...leftOut.map((text) => [text, ''] as const),
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
    const env = { DPOP_NONCE: 'required', CLIENT_CERTIFICATE_HEADER: 'rfc9440' };
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: (place) => caddy(place), env });
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

    leftOutRules(
      [
        { name: 'the line of the certificate', leftOut: [certificateField] },
        { name: 'client_auth', leftOut: [clientAuth] },
        { name: 'all for certificates', leftOut: [certificateField, clientAuth, parameter] },
      ],
      async (leftOut) => openGatewayProgram({ command: (place) => caddy(place, leftOut), env }),
    );
    gatewayProgramRules(() => door, { reports: false, upgrades: true });
  },
);
