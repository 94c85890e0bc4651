import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { aware, openPair, type Pair, pairSecret } from '../support/pair.ts';
import {
  fetchFrom,
  openRecipient,
  presentedBy,
  type Recipient,
  type RecipientOptions,
} from '../support/resource-server.ts';
import { basic, testServer } from '../support/server.ts';

let [pair, token, forms]: [Pair, string, URLSearchParams[]] = [[], '', []] as never;
const opened: Recipient[] = [];
/** A resource server that asks the issuer; `answer` replaces what introspection says. */
async function asking(
  answer?: (init: RequestInit) => Promise<Response>,
  options: RecipientOptions = {},
  account = { clientId: 'aware-rs', clientSecret: pairSecret },
): Promise<Recipient> {
  const reached = fetchFrom(pair.server);
  const rs = await openRecipient(pair.server, {
    issuer: { issuer: pair.server.issuer, altCnf: true, introspection: account },
    fetch: async (input, init) => {
      if (typeof input !== 'string' || !input.endsWith('/introspect')) return reached(input, init);
      forms.push(new URLSearchParams(init?.body as string));
      return answer === undefined ? reached(input, init) : answer(init ?? {});
    },
    ...options,
  });
  opened.push(rs);
  return rs;
}
const credentials = async (rs: Recipient, key = pair.appKey): Promise<[string, string][]> => [
  ['authorization', `DPoP ${token}`],
  ['dpop', await rs.proof(token, key)],
];

beforeAll(async () => {
  pair = await openPair();
});
beforeEach(async () => {
  forms = [];
  token = (await pair.ask()).body.access_token as string;
});
afterAll(async () => {
  for (const rs of opened) await rs.close();
  await pair.server.stop();
});

describe('a resource server that spends proofs at the issuer', () => {
  it('lets in each holder, once a proof', async () => {
    const rs = await asking();
    for (const [key, presenter] of [
      [pair.appKey, 'app'],
      [pair.backendKey, 'backend'],
    ] as const) {
      const fields = await credentials(rs, key);
      expect(presentedBy(await rs.send(fields))).toBe(`${presenter} by jkt`);
      expect(presentedBy(await rs.send(fields))).toBe('401 invalid_dpop_proof');
      expect(rs.reasons.at(-1)).toBe('proof_replayed');
    }
  });

  it('RFC 9449 §11.1: a proof that was used at one is refused at the other', async () => {
    const [one, other] = [await asking(), await asking(undefined, { framework: 'Express' })];
    const fields = await credentials(one);
    expect(presentedBy(await one.send(fields))).toBe('app by jkt');
    expect(presentedBy(await other.send(fields))).toBe('401 invalid_dpop_proof');
    expect(other.reasons).toEqual(['proof_replayed']);
  });

  it('of many requests at once with one proof, at two of them, one gets in', async () => {
    const [one, other] = [await asking(), await asking()];
    const fields = await credentials(one);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => (index % 2 === 0 ? one : other).send(fields)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
  });

  it('a proof that the issuer has seen in introspection by anybody is refused', async () => {
    const rs = await asking();
    const fields = await credentials(rs);
    const [, [, dpop_proof] = []] = fields;
    const form = { dpop_proof: dpop_proof ?? '', htm: 'GET', htu: `${rs.origin}/events` };
    const { body } = await pair.introspect(token, 'aware-rs', form);
    expect(body.proof).toEqual({ valid: true, presenter: 'app' });
    expect(presentedBy(await rs.send(fields))).toBe('401 invalid_dpop_proof');
  });

  it('RFC 7009: a revoked token is refused at once', async () => {
    const rs = await asking();
    expect(presentedBy(await rs.send(await credentials(rs)))).toBe('app by jkt');
    const authorization = basic('app', pairSecret);
    expect((await pair.server.post('/revoke', { token }, { authorization })).status).toBe(200);
    const { status, headers } = await rs.send(await credentials(rs));
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toMatch(/^DPoP error="invalid_token"/);
    expect(rs.reasons).toEqual(['token_inactive']);
  });

  it('a refusal that needs no question asks none: the thief spends nothing', async () => {
    const rs = await asking();
    const fields = await credentials(rs);
    expect((await rs.send(await credentials(rs, pair.thiefKey))).status).toBe(401);
    expect((await rs.send(fields.slice(0, 1))).status).toBe(401);
    expect((await rs.send([['authorization', `Bearer ${token}`]])).status).toBe(401);
    expect((await rs.send(fields, '/admin')).status).toBe(401);
    expect(forms).toEqual([]);
    expect(presentedBy(await rs.send(fields))).toBe('app by jkt');
  });

  it('the query of a request is not told to the issuer', async () => {
    const rs = await asking();
    const { status } = await rs.send(await credentials(rs), '/events?secret=1');
    expect([status, forms[0]?.get('htu')]).toEqual([200, `${rs.origin}/events`]);
  });

  it('a holder that was withdrawn is refused at once', async () => {
    const rs = await asking();
    expect((await rs.send(await credentials(rs, pair.backendKey))).status).toBe(200);
    await pair.server.admin('DELETE', `pairings/${pair.pairing}`);
    expect(presentedBy(await rs.send(await credentials(rs, pair.backendKey)))).toBe(
      '401 invalid_token',
    );
    expect(rs.reasons).toEqual(['key_mismatch']);
    expect((await rs.send(await credentials(rs))).status).toBe(200);
    const again = { requester: 'app', holder: 'backend', mode: 'registered_key' };
    await pair.server.admin('POST', 'pairings', { ...again, first_party: false });
  });
});

/** A body without an end. */
const endless = () =>
  new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(65_536).fill(32)) });

describe('fails closed', () => {
  const says =
    (body: unknown, status = 200) =>
    async () =>
      new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  // One waits for five seconds: they wait together.
  it.concurrent.for<[string, (init: RequestInit) => Promise<Response>, number, string]>([
    [
      'no connection',
      async () => Promise.reject(new TypeError('fetch failed')),
      503,
      'introspection_unavailable',
    ],
    [
      'no answer',
      async ({ signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
      503,
      'introspection_unavailable',
    ],
    ['an endless answer', async () => new Response(endless()), 503, 'introspection_unavailable'],
    ['503', says({}, 503), 503, 'introspection_unavailable'],
    ['429', says({}, 429), 503, 'introspection_unavailable'],
    ['404', says({ active: true }, 404), 503, 'introspection_unavailable'],
    ['no JSON', says('<html>'), 503, 'introspection_unavailable'],
    ['an empty body', says(''), 503, 'introspection_unavailable'],
    [
      'a repeated member',
      says('{"active":false,"active":true,"proof":{"valid":true,"presenter":"app"}}'),
      503,
      'introspection_unavailable',
    ],
    ['neither active nor inactive', says({}), 503, 'introspection_malformed'],
    ['active as text', says({ active: 'true' }), 503, 'introspection_malformed'],
    [
      'an issuer that knows nothing of proofs',
      says({ active: true }),
      503,
      'introspection_without_proof',
    ],
    [
      'a verdict as text',
      says({ active: true, proof: { valid: 'true', presenter: 'app' } }),
      503,
      'introspection_without_proof',
    ],
    [
      'a proof of somebody else',
      says({ active: true, proof: { valid: true, presenter: 'backend' } }),
      401,
      'key_mismatch',
    ],
    ['a proof of nobody', says({ active: true, proof: { valid: true } }), 401, 'key_mismatch'],
    [
      'an inactive token beside a valid proof',
      says({ active: false, proof: { valid: true, presenter: 'app' } }),
      401,
      'token_inactive',
    ],
    [
      'a refusal for a reason of its own',
      says({ active: true, proof: { valid: false, reason: 'proof_iat_too_old' } }),
      401,
      'proof_iat_too_old',
    ],
  ])('%s', async ([, answer, status, reason], { expect }) => {
    const rs = await asking(answer);
    const refused = await rs.send(await credentials(rs));
    expect([refused.status, rs.reasons]).toEqual([status, [reason]]);
    expect(refused.headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });

  it('a wrong secret of its own is an outage, not a refusal of the client', async () => {
    const failures: string[] = [];
    const rs = await asking(
      undefined,
      { onFetchFailure: (_, { message }) => void failures.push(message) },
      { clientId: 'aware-rs', clientSecret: 'wrong' },
    );
    expect((await rs.send(await credentials(rs))).status).toBe(503);
    expect(failures).toHaveLength(1);
  });
});

it('RFC 9449 §9: hands on the nonce that the issuer demands', async () => {
  const strict = await openPair({ env: { DPOP_NONCE: 'required' } });
  const challenged = await strict.ask({ form: { req_alt_cnf: undefined } });
  const nonce = challenged.headers.get('dpop-nonce') ?? '';
  const { body } = await strict.ask({
    form: { req_alt_cnf: undefined },
    dpop: await strict.appKey.proof({ nonce }),
  });
  const introspection = { clientId: 'aware-rs', clientSecret: pairSecret };
  const rs = await openRecipient(strict.server, {
    issuer: { issuer: strict.server.issuer, altCnf: true, introspection },
  });
  const refused = await rs.present(body.access_token as string, strict.appKey);
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([
    401,
    expect.stringMatching(/^DPoP error="use_dpop_nonce"/),
  ]);
  const given = { nonce: refused.headers['dpop-nonce'] };
  expect((await rs.present(body.access_token as string, strict.appKey, given)).status).toBe(200);
  await rs.close();
  await strict.server.stop();
});

it('RFC 8705 §3: a certificate-bound token, until it is revoked', async () => {
  const env = { CLIENT_CERTIFICATE_HEADER: 'rfc9440', TRUSTED_PROXIES: '127.0.0.1/32' };
  const server = await testServer({ env });
  const device = await certificate({ subject: 'CN=device' });
  const account = { client_id: 'aware-rs', client_secret: pairSecret };
  await server.admin('POST', 'resource-servers', {
    audience: aware,
    ...account,
    cnf_methods_supported: ['x5t#S256'],
    introspection_requires_proof: true,
  });
  await server.admin('POST', 'clients', {
    client_id: 'device',
    client_secret: pairSecret,
    tls_client_certificate_bound_access_tokens: true,
  });
  const authorization = basic('device', pairSecret);
  const { body } = await server.post(
    '/token',
    { grant_type: 'client_credentials' },
    { authorization, 'client-cert': `:${device.der.toString('base64')}:` },
  );
  const introspection = { clientId: 'aware-rs', clientSecret: pairSecret };
  const rs = await openRecipient(server, {
    issuer: { issuer: server.issuer, introspection },
    certificate: () => device.pem,
  });
  const send = async () => rs.send([['authorization', `Bearer ${body.access_token}`]]);
  expect(presentedBy(await send())).toBe('device by x5t#S256');
  await server.post('/revoke', { token: body.access_token as string }, { authorization });
  expect(presentedBy(await send())).toBe('401 invalid_token');
  expect(rs.reasons).toEqual(['token_inactive']);
  await rs.close();
  await server.stop();
});
