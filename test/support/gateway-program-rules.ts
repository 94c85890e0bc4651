import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  certificateHeaderForms,
  certificateHeaderNames,
} from '../../src/x509/certificate-header.ts';
import { apiOrigin, gatewayForms } from './gateway.ts';
import {
  type Called,
  certificateField,
  type GatewayProgram,
  smuggledFields,
} from './gateway-program.ts';

/** Fields of ours that reached the API, by any spelling. */
export function oursIn(upstream: Called['upstream']): Readonly<Record<string, unknown>> {
  const entries = Object.entries(upstream ?? { 'the API': 'was not reached' });
  return Object.fromEntries(
    entries
      .filter(([name]) => /^holdfast[-_]|was/.test(name) || name === 'the API')
      .filter(([, value]) => value !== ''),
  );
}

/** What not every gateway can do. */
interface Abilities {
  /** Hands the challenge of a 403 on. */
  readonly namesScope?: boolean;
  /** Tells the API what would be refused. */
  readonly reports?: boolean;
  /** Hands an upgrade to WebSocket on. */
  readonly upgrades?: boolean;
}

/** Who stole a token that is bound to a certificate has the certificate too, for it is public. */
function certificateRules(door: () => GatewayProgram): void {
  it.each(certificateHeaderForms)(
    'RFC 8705 §6.5: a certificate that a client names itself is none (%s)',
    async (form) => {
      const [mine, other] = await door().certificates();
      const token = await door().certificateToken(mine);
      const own = certificateField(form, mine);
      for (const fields of [
        [own],
        [own, ['X-SSL-Client-Verify', 'SUCCESS'], ['Holdfast-Read-Certificate', 'true']] as const,
        [own, ['Connection', own[0]]] as const,
      ])
        for (const by of [undefined, other]) {
          const { status, upstream } = await door().call({
            token,
            scheme: 'Bearer',
            dpop: null,
            fields,
            ...(by !== undefined && { by }),
          });
          expect([status === 200, upstream]).toEqual([false, undefined]);
        }
    },
  );
}

/** What a page lets one leave out opens nothing. */
export function leftOutRules(
  rows: readonly { readonly name: string; readonly leftOut: readonly string[] }[],
  open: (leftOut: readonly string[]) => Promise<GatewayProgram>,
): void {
  describe.each(rows)('without $name', ({ leftOut }) => {
    let door: GatewayProgram;
    beforeAll(async () => {
      door = await open(leftOut);
    }, 30_000);
    afterAll(async () => door.close());

    certificateRules(() => door);
  });
}

/** What holds at every gateway that asks Holdfast. */
export function gatewayProgramRules(
  door: () => GatewayProgram,
  { namesScope = true, reports = true, upgrades = false }: Abilities = {},
): void {
  const identity = () => ({
    'holdfast-subject': 'app',
    'holdfast-client-id': 'app',
    'holdfast-presenter': 'app',
    'holdfast-scope': 'read',
    'holdfast-key': door().key.jkt,
    'holdfast-token-id': expect.any(String),
  });
  const mode = async (gateway_mode: string) => {
    const { server, resourceServerId } = door().fixture;
    await server.admin('PATCH', `resource-servers/${resourceServerId}`, { gateway_mode });
  };

  it('the holder is let in, with any method and body, and the API is told whose request it is', async () => {
    const got = await door().call({ path: '/things?x=1&y=%20' });
    expect([got.status, got.body]).toEqual([200, 'api /things?x=1&y=%20 ']);
    expect(oursIn(got.upstream)).toEqual(identity());
    const posted = await door().call({
      method: 'POST',
      body: 'hello',
      fields: [['Content-Encoding', 'identity']],
    });
    expect([posted.status, posted.body, posted.headers['x-method']]).toEqual([
      200,
      'api /things hello',
      'POST',
    ]);
  });

  it('RFC 9449 §9: a nonce reaches the client, and its next proof is taken', async () => {
    const token = await door().token();
    const without = await door().call({ token, dpop: await door().key.proof({ htm: 'GET' }) });
    expect(without.status).toBe(401);
    const { status, headers } = await door().call({ token });
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('www-authenticate');
  });

  it('RFC 9449 §7.1: without a token the challenge names the algorithms', async () => {
    const { status, headers, upstream } = await door().call({ scheme: null, dpop: null });
    expect([status, upstream]).toEqual([401, undefined]);
    expect(headers['www-authenticate']).toMatch(/^DPoP algs="ES256/);
  });

  it.each<[string, (token: string) => Promise<object>]>([
    ['shows it as a bearer token', async () => ({ scheme: 'Bearer', dpop: null })],
    ['shows it without a proof', async () => ({ dpop: null })],
    [
      'has a proof for another path',
      async (token) => ({ dpop: await door().proof(token, `${apiOrigin}/other`) }),
    ],
    [
      'has a proof for another method',
      async (token) => ({ dpop: await door().proof(token, undefined, 'POST') }),
    ],
  ])('the thief who %s is not', async (_name, call) => {
    await door().call();
    const token = await door().token();
    const { status, upstream, headers } = await door().call({ token, ...(await call(token)) });
    expect([status, upstream]).toEqual([401, undefined]);
    expect(headers['www-authenticate']).toContain('error="');
  });

  it('a proof counts once, here and at a second gateway', async () => {
    await door().call();
    const token = await door().token();
    const dpop = await door().proof(token);
    expect((await door().call({ token, dpop })).status).toBe(200);
    expect(await door().call({ token, dpop })).toMatchObject({ status: 401, upstream: undefined });
    const url = `${apiOrigin}/things`;
    for (const form of gatewayForms)
      expect(await door().fixture.outcome({ form, url, token, dpop })).toBe('401 proof_replayed');
  });

  describe.each(smuggledFields())('a client that sends %s: %s', (name, value) => {
    const fields = [[name, value]] as const;
    it('is nobody else for the API, and asks for nothing else', async () => {
      const { status, upstream } = await door().call({ fields });
      // A field that would make the question ambiguous may be refused; it is never believed.
      const reached = status === 200 ? oursIn(upstream) : upstream;
      expect([identity(), undefined]).toContainEqual(reached);
    });
    it('gets nowhere with a stolen token and a proof for another path', async () => {
      const token = await door().token();
      const dpop = await door().proof(token, `${apiOrigin}/other`);
      const stolen = await door().call({ token, dpop, fields });
      expect([stolen.status === 200, stolen.upstream]).toEqual([false, undefined]);
      const none = await door().call({ scheme: null, dpop: null, fields });
      expect([none.status === 200, none.upstream]).toEqual([false, undefined]);
    });
  });

  certificateRules(door);

  it('no certificate that a client names reaches the API', async () => {
    const fields = certificateHeaderForms.map(
      (form) => [certificateHeaderNames[form], 'x'] as const,
    );
    const { upstream } = await door().call({ fields: [...fields, ['X-SSL-Client-Verify', 'x']] });
    expect(Object.values(upstream ?? {})).not.toContain('x');
  });

  it('RFC 9110 §7.6.1: a client cannot have a field of ours dropped on the way to the API', async () => {
    const fields = [['Connection', 'close, Holdfast-Scope']] as const;
    const { upstream } = await door().call({ fields });
    expect(upstream?.connection ?? '').not.toMatch(/holdfast/i);
  });

  it.runIf(upgrades)('RFC 6455: an upgrade is let in, with all that the API is told', async () => {
    const websocket = [
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ] as const;
    for (const connection of ['Upgrade', 'keep-alive, upgrade']) {
      const fields = [['Connection', connection], ...websocket] as const;
      const { status, upstream } = await door().call({ fields });
      expect([status, oursIn(upstream)]).toEqual([101, identity()]);
      const thief = await door().call({ fields, scheme: null, dpop: null });
      expect([thief.status, thief.upstream]).toEqual([401, undefined]);
    }
    const fields = [['Connection', 'Upgrade, Holdfast-Scope'], ...websocket] as const;
    const { upstream } = await door().call({ fields });
    expect([identity(), undefined]).toContainEqual(upstream && oursIn(upstream));
  });

  it.each(['/public?', '/public#', '?', '#', ':443/public?', '\\'])(
    'a proof for one URL does not count for another by a Host that ends in %s',
    async (end) => {
      await door().call();
      const token = await door().token();
      const dpop = await door().proof(token, `${apiOrigin}/public`);
      const fields = [['Host', `api.example.com${end}`]] as const;
      const { status, upstream } = await door().call({ token, dpop, path: '/secret', fields });
      expect([status === 200, upstream]).toEqual([false, undefined]);
    },
  );

  it('a foreign Host gets nowhere', async () => {
    const fields = [['Host', 'evil.example.com']] as const;
    const { status, upstream } = await door().call({ fields });
    expect([status === 200, upstream]).toEqual([false, undefined]);
  });

  describe('gateway_mode report', () => {
    it('lets everybody through, and nobody says who he is', async () => {
      await mode('report');
      for (const fields of [[], ...smuggledFields().map((field) => [field])]) {
        const { status, upstream } = await door().call({ scheme: null, dpop: null, fields });
        const said = reports ? { 'holdfast-would-refuse': 'access_token_missing' } : {};
        expect([said, undefined]).toContainEqual(status === 200 ? oursIn(upstream) : upstream);
      }
      await mode('enforce');
    });
  });

  it('without the scope that the gateway asks for: 403, and the scope is named', async () => {
    const { status, headers, upstream } = await door().call({ token: await door().token('write') });
    expect([status, upstream]).toEqual([403, undefined]);
    expect(/scope="read"/.test(headers['www-authenticate'] ?? '')).toBe(namesScope);
  });

  it('nobody is let in while Holdfast is away', async () => {
    await door().stopServer();
    const { status, upstream } = await door().call({ token: 'x', dpop: 'y' });
    expect([status >= 500, upstream]).toEqual([true, undefined]);
  });
}
