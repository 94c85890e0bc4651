import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import {
  type GatewayPlace,
  type GatewayProgram,
  openGatewayProgram,
  smuggledFields,
} from '../support/gateway-program.ts';
import { gatewayProgramRules, leftOutRules, oursIn } from '../support/gateway-program-rules.ts';
import { needs } from '../support/left-out.ts';
import { issuer } from '../support/server.ts';

const [withLua = '', byItself = ''] = blocksOf('haproxy.md', 'haproxy', 'gateways');
const [lua = ''] = blocksOf('haproxy.md', 'lua', 'gateways');
const backend = withLua.slice(withLua.indexOf('\nbackend api'));

const listening = ({ port, upstream, file, own, ca }: GatewayPlace, withoutClients = false) =>
  [
    ['bind :443 ssl', `bind 127.0.0.1:${port} ssl`],
    ['/etc/haproxy/tls.pem', file('tls.pem', own.pem + own.keyPem)],
    ...(withoutClients
      ? []
      : [['/etc/haproxy/clients-ca.crt', file('clients-ca.crt', ca.pem)] as const]),
    ['127.0.0.1:3000', upstream],
  ] as const;

/** Lines of the page that are for certificates alone. */
const shown = / {2}if txn.f:ssl_c_used\(\).+?\n {2}end\n/s.exec(lua)?.[0] ?? 'the certificate';
const verify = ' ca-file /etc/haproxy/clients-ca.crt verify optional';

/** HAProxy with the page's lines, or without some. */
function haproxy(
  place: GatewayPlace,
  leftOut: readonly string[] = [],
): readonly [string, ...string[]] {
  const without = (page: string) =>
    leftOut.filter((text) => page.includes(text)).map((text) => [text, ''] as const);
  const script = adapted(lua, [
    ...without(lua),
    ['127.0.0.1:8082', place.holdfast],
    ['GATEWAY_TOKEN', gatewayToken],
  ]);
  const block = adapted(adapted(withLua, without(withLua)), [
    ...listening(place, leftOut.includes(verify)),
    ['/etc/haproxy/holdfast.lua', place.file('holdfast.lua', script)],
    ['global\n', 'global\n  maxconn 100\n'],
  ]);
  return ['haproxy', '-db', '-f', place.file('haproxy.cfg', block)];
}

/** HAProxy without a question. */
function alone(place: GatewayPlace): readonly [string, ...string[]] {
  const block = adapted(`global\n  maxconn 100\n${byItself}\n${backend}`, [
    ...listening(place),
    ['/etc/haproxy/holdfast.pem', place.file('holdfast.pem', place.signingKeyPem)],
    ['https://as.example.com', issuer],
  ]);
  return ['haproxy', '-db', '-f', place.file('haproxy.cfg', block)];
}

describe.skipIf(!needs.haproxy.isHere())('HAProxy', { timeout: 30_000 }, () => {
  const env = { CLIENT_CERTIFICATE_HEADER: 'haproxy' };

  describe('with Lua, configured as its page says', () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({
        command: (place) => haproxy(place),
        env: { ...env, DPOP_NONCE: 'required' },
      });
    }, 30_000);
    afterAll(async () => door.close());

    it('RFC 8705 §3: a certificate-bound token is let in with its certificate, and with no other', async () => {
      const [mine, other] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      const { status, upstream } = await door.call({ ...bound, by: mine });
      expect([status, oursIn(upstream)['holdfast-key']]).toEqual([200, mine.x5tS256]);
      expect((await door.call({ ...bound, by: other })).status).toBe(401);
      const fields = [['X-SSL-Client-Cert', mine.der.toString('base64')]] as const;
      expect((await door.call({ ...bound, fields })).status).toBe(401);
      expect((await door.call({ ...bound, fields, by: other })).status).toBe(401);
    });

    leftOutRules(
      [
        { name: 'the lines of the certificate', leftOut: [shown] },
        { name: 'verify', leftOut: [verify] },
        { name: 'all for certificates', leftOut: [shown, verify, '&certificate=true'] },
      ],
      async (leftOut) => openGatewayProgram({ command: (place) => haproxy(place, leftOut), env }),
    );
    gatewayProgramRules(() => door, { upgrades: true });
  });

  describe('by itself with jwt_verify, for certificate-bound tokens, as its page says', () => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await openGatewayProgram({ command: alone, env });
    }, 30_000);
    afterAll(async () => door.close());

    it('RFC 8705 §3: the holder of the certificate is let in, and nobody else', async () => {
      const [mine, other] = await door.certificates();
      const bound = { token: await door.certificateToken(mine), scheme: 'Bearer', dpop: null };
      expect((await door.call({ ...bound, by: mine })).status).toBe(200);
      expect((await door.call({ ...bound, by: other })).status).toBe(401);
      expect((await door.call(bound)).status).toBe(401);
      expect((await door.call({ scheme: null, dpop: null, by: mine })).status).toBe(401);
    });
    it.each([
      ['read', 200],
      ['write read', 200],
      ['write', 403],
      ['reader', 403],
    ])('a token with the scope "%s": %i', async (scope, status) => {
      const [mine] = await door.certificates();
      const token = await door.certificateToken(mine, undefined, scope);
      const called = await door.call({ token, scheme: 'Bearer', dpop: null, by: mine });
      expect([called.status, called.upstream === undefined]).toEqual([status, status !== 200]);
    });
    it('no field of ours reaches the API from a client', async () => {
      const [mine] = await door.certificates();
      const token = await door.certificateToken(mine);
      for (const field of smuggledFields()) {
        const call = { token, scheme: 'Bearer', dpop: null, by: mine, fields: [field] };
        const { status, upstream } = await door.call(call);
        expect([status, oursIn(upstream), upstream?.connection ?? '']).toEqual([
          200,
          {},
          expect.not.stringMatching(/holdfast/i),
        ]);
      }
    });
    it('neither a token bound by jkt, nor one for another resource server, nor a changed one', async () => {
      const [mine] = await door.certificates();
      const call = { scheme: 'Bearer', dpop: null, by: mine };
      expect((await door.call({ ...call, token: await door.token() })).status).toBe(401);
      const { server } = door.fixture;
      await server.admin('POST', 'resource-servers', {
        audience: 'https://other.example.com',
        cnf_methods_supported: ['x5t#S256'],
      });
      const foreign = await door.certificateToken(mine, 'https://other.example.com');
      expect((await door.call({ ...call, token: foreign })).status).toBe(401);
      const token = await door.certificateToken(mine);
      const [header, payload, signature] = token.split('.');
      const changed = Buffer.from(payload ?? '', 'base64url')
        .toString()
        .replace('"device"', '"admin!"');
      const parts = [header, Buffer.from(changed).toString('base64url'), signature];
      expect((await door.call({ ...call, token: parts.join('.') })).status).toBe(401);
      const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
      expect((await door.call({ ...call, token: `${none}.${payload}.` })).status).toBe(401);
    });
    it('an assertion of a gateway is no token here either', async () => {
      const [mine] = await door.certificates();
      const assertion = await door.fixture.ask({ assertion: true });
      const token = String(assertion.headers['holdfast-assertion']);
      expect(token).toMatch(/^ey/);
      expect((await door.call({ token, scheme: 'Bearer', dpop: null, by: mine })).status).toBe(401);
    });
  });
});
