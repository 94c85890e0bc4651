import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHolder, type HolderOptions } from '../../packages/client/src/client.ts';
import { type Api, openApi, openStranger } from '../support/api.ts';
import { type LiveServer, liveServer, notingFetch } from '../support/live-server.ts';
import { ath } from '../support/pair.ts';

const secret = 's'.repeat(32);
let server: LiveServer;
let api: Api;
let noncesApi: Api;
let stranger: Awaited<ReturnType<typeof openStranger>>;

beforeAll(async () => {
  server = await liveServer();
  api = await openApi(server.issuer);
  noncesApi = await openApi(server.issuer, { nonceRequired: true });
  stranger = await openStranger();
  for (const { origin: audience } of [api, noncesApi])
    await server.admin('POST', 'resource-servers', { audience, scopes: ['read', 'write'] });
  const client = { client_secret: secret, scope: 'read write' };
  await server.admin('POST', 'clients', { client_id: 'reports', ...client });
  await server.admin('POST', 'clients', {
    client_id: 'nonces',
    dpop_nonce_required: true,
    ...client,
  });
});
afterAll(async () => {
  await Promise.all([api.close(), noncesApi.close(), stranger.close(), server.stop()]);
});
beforeEach(() => {
  for (const { seen } of [api, noncesApi, stranger]) seen.length = 0;
  api.withdrawn.clear();
});

const holderOf = async (more: Partial<HolderOptions> = {}) =>
  createHolder({
    issuer: server.issuer,
    clientId: 'reports',
    clientSecret: secret,
    resource: api.origin,
    scope: 'read',
    key: 'memory',
    ...more,
  });
const outcomes = ({ seen }: Api) => seen.map(({ outcome }) => outcome);
const streamOf = (text: string) => new Blob([text]).stream();

describe('holder.fetch', () => {
  it('obtains a token and presents it with a proof (RFC 9449 §7.1)', async () => {
    const holder = await holderOf();
    const answer = await holder.fetch(`${api.origin}/reports?year=2026#top`);
    expect(await answer.json()).toEqual({ presenter: 'reports', method: 'jkt', body: '' });
    const { accessToken, tokenType, scope } = await holder.token();
    expect({ tokenType, scope }).toEqual({ tokenType: 'DPoP', scope: 'read' });
    expect(decodeJwt(accessToken)['cnf']).toEqual({ jkt: holder.thumbprint });
    const [seen] = api.seen;
    expect(seen?.headers.authorization).toBe(`DPoP ${accessToken}`);
    const proof = String(seen?.headers['dpop']);
    const { jwk, ...header } = decodeProtectedHeader(proof);
    expect(header).toEqual({ alg: 'ES256', typ: 'dpop+jwt' });
    expect(Object.keys(jwk ?? {}).sort()).toEqual(['crv', 'kty', 'x', 'y']);
    expect(decodeJwt(proof)).toMatchObject({
      htm: 'GET',
      htu: `${api.origin}/reports`,
      ath: ath(accessToken),
    });
  });

  it('asks for one token a resource and scope, however many requests wait for it', async () => {
    const { fetch, sent } = notingFetch();
    const holder = await holderOf({ fetch });
    const tokenRequests = () => sent.filter(({ url }) => url === `${server.issuer}/token`).length;
    const many = Array.from({ length: 20 }, async () => holder.fetch(`${api.origin}/reports`));
    const answers = await Promise.all(many);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(tokenRequests()).toBe(1);
    await holder.for({ scope: 'write' }).fetch(`${api.origin}/reports`);
    await holder.for({ scope: 'write' }).fetch(`${api.origin}/reports`);
    expect(tokenRequests()).toBe(2);
  });

  it('has a new token shortly before the old one ends', async () => {
    let ahead = 0;
    const holder = await holderOf({ clock: () => Date.now() + ahead });
    const first = await holder.token();
    expect((await holder.token()).accessToken).toBe(first.accessToken);
    ahead = (first.expiresAt ?? 0) - Date.now() - 29_000;
    expect((await holder.token()).accessToken).not.toBe(first.accessToken);
  });

  it('goes on for the others when one of those who wait gives up', async () => {
    const holder = await holderOf();
    const patient = holder.fetch(`${api.origin}/reports`);
    const signal = AbortSignal.abort(new Error('gave up'));
    const late = new AbortController();
    const hasty = holder.fetch(`${api.origin}/reports`, { signal: late.signal });
    late.abort(new Error('gave up, too'));
    await expect(holder.fetch(`${api.origin}/reports`, { signal })).rejects.toThrow('gave up');
    await expect(hasty).rejects.toThrow('gave up, too');
    expect((await patient).status).toBe(200);
  });

  it('renews a token that the API calls invalid, once (RFC 6750 §3.1)', async () => {
    const holder = await holderOf();
    api.withdrawn.add((await holder.token()).accessToken);
    expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
    expect(outcomes(api)).toEqual(['withdrawn', 'reports by jkt']);
  });

  it('hands on the refusal when the renewed token is refused, too', async () => {
    const holder = await holderOf({ scope: 'read' });
    api.withdrawn.has = () => true;
    const answer = await holder.fetch(`${api.origin}/reports`);
    Reflect.deleteProperty(api.withdrawn, 'has');
    expect(answer.status).toBe(401);
    expect(outcomes(api)).toEqual(['withdrawn', 'withdrawn']);
  });

  it('hands on an answer that a new token would not change', async () => {
    const holder = await holderOf();
    const { headers } = await holder.fetch(`${api.origin}/reports`, { method: 'delete' });
    expect(headers.get('content-type')).toBe('application/json');
    expect(api.seen.map(({ method }) => method)).toEqual(['DELETE']);
  });
});

describe('nonces (RFC 9449 §8 and §9)', () => {
  it('of the server and of the API are answered, and used from then on', async () => {
    const { fetch, sent } = notingFetch();
    const holder = await holderOf({ clientId: 'nonces', resource: noncesApi.origin, fetch });
    for (let times = 0; times < 3; times++)
      expect((await holder.fetch(`${noncesApi.origin}/reports`)).status).toBe(200);
    expect(sent.filter(({ url }) => url === `${server.issuer}/token`).length).toBe(2);
    expect(noncesApi.seen.length).toBe(4);
  });

  const form = new FormData();
  form.set('member', 'value');
  it.each([
    { kind: 'text', body: 'text', expected: 'text' },
    { kind: 'a form', body: new URLSearchParams({ a: 'b c' }), expected: 'a=b+c' },
    { kind: 'a blob', body: new Blob(['blob']), expected: 'blob' },
    { kind: 'bytes', body: new TextEncoder().encode('bytes'), expected: 'bytes' },
    { kind: 'multipart', body: form, expected: expect.stringContaining('name="member"') },
  ])('make a request with $kind as body go out again, whole', async ({ body, expected }) => {
    const holder = await holderOf({ resource: noncesApi.origin });
    const answer = await holder.fetch(`${noncesApi.origin}/reports`, { method: 'POST', body });
    expect(await answer.json()).toMatchObject({ body: expected });
    expect(noncesApi.seen.map((seen) => seen.body)).toEqual([expected, expected]);
  });

  it('never make a body that was streamed go out again: the caller gets the 401', async () => {
    const holder = await holderOf({ resource: noncesApi.origin });
    const post = { method: 'POST', duplex: 'half' };
    const url = `${noncesApi.origin}/reports`;
    const refused = await holder.fetch(url, { ...post, body: streamOf('once') });
    expect(refused.status).toBe(401);
    const again = await holder.fetch(new Request(url, { ...post, body: streamOf('twice') }));
    expect(again.status).toBe(200);
    expect(noncesApi.seen.map(({ body }) => body)).toEqual(['once', 'twice']);
  });
});

it('an API that is never content with a nonce is asked three times, no more', async () => {
  let asked = 0;
  const challenge = { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'again' };
  const greedy = await openApi(server.issuer, {
    open: (_request, response) => {
      asked++;
      return Boolean(response.writeHead(401, challenge).end());
    },
  });
  const holder = await holderOf({ origins: [greedy.origin] });
  expect((await holder.fetch(greedy.origin)).status).toBe(401);
  expect(asked).toBe(3);
  await greedy.close();
});

it('twenty requests with a token that was withdrawn have one new token', async () => {
  const { fetch, sent } = notingFetch();
  const holder = await holderOf({ fetch });
  api.withdrawn.add((await holder.token()).accessToken);
  const many = Array.from({ length: 20 }, async () => holder.fetch(`${api.origin}/reports`));
  expect(new Set((await Promise.all(many)).map(({ status }) => status))).toEqual(new Set([200]));
  expect(sent.filter(({ url }) => url === `${server.issuer}/token`).length).toBe(2);
});

it('a late refusal of a withdrawn token does not throw its successor away', async () => {
  const noting = notingFetch();
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const holder = await holderOf({
    async fetch(input, init) {
      const answer = await noting.fetch(input, init);
      if ((input as string).endsWith('/slow') && answer.status === 401) await released;
      return answer;
    },
  });
  api.withdrawn.add((await holder.token()).accessToken);
  const slow = holder.fetch(`${api.origin}/slow`);
  expect((await holder.fetch(`${api.origin}/quick`)).status).toBe(200);
  release();
  expect((await slow).status).toBe(200);
  const asked = noting.sent.filter(({ url }) => url === `${server.issuer}/token`);
  expect(asked.length).toBe(2);
});

describe('a clock that is off', () => {
  it.each([-3_600_000, 3_600_000])(
    'by %d ms is noticed by the Date of the server, and allowed for at server and API',
    async (off) => {
      const holder = await holderOf({ clock: () => Date.now() + off });
      expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
      expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
      expect(outcomes(api).slice(-2)).toEqual(['reports by jkt', 'reports by jkt']);
      expect(api.seen.length).toBe(3);
    },
  );

  it('of one API changes nothing for another', async () => {
    const { fetch, sent } = notingFetch();
    const holder = await holderOf({ fetch });
    api.clockAhead = 300_000;
    expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
    api.clockAhead = 0;
    expect(api.seen.length).toBe(2);
    await holder.for({ scope: 'write' }).token();
    const proof = decodeJwt(sent.at(-1)?.headers.get('dpop') ?? '');
    expect(Math.abs((proof.iat ?? 0) - Date.now() / 1000)).toBeLessThan(5);
  });
});

describe('redirects', () => {
  it('within the origin carry the token and a proof of their own', async () => {
    const holder = await holderOf();
    const answer = await holder.fetch(`${api.origin}/old?to=/new`);
    expect(answer.status).toBe(200);
    const proofs = api.seen.map(({ headers }) => decodeJwt(String(headers['dpop']))['htu']);
    expect(proofs).toEqual([`${api.origin}/old`, `${api.origin}/new`]);
  });

  it('to another origin carry neither token nor proof, not even on the way back', async () => {
    const holder = await holderOf();
    const headers = { cookie: 'session=1', 'x-request': 'kept' };
    const there = `${stranger.origin}/a`;
    const path = `${api.origin}/old?to=${encodeURIComponent(there)}`;
    expect(await (await holder.fetch(path, { headers })).text()).toBe('stranger');
    expect(stranger.seen.length).toBe(1);
    expect(stranger.seen[0]).toMatchObject({ 'x-request': 'kept' });
    expect(Object.keys(stranger.seen[0] ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(authorization|dpop|pop|cookie)$/)]),
    );
    const back = `${there}?to=${encodeURIComponent(`${api.origin}/back`)}`;
    const round = await holder.fetch(`${api.origin}/old?to=${encodeURIComponent(back)}`);
    expect(round.status).toBe(401);
    expect(api.seen.at(-1)).toMatchObject({ path: '/back', outcome: 'token_missing' });
  });

  it.each([
    { status: 302, method: 'POST', becomes: 'GET', body: '' },
    { status: 303, method: 'PUT', becomes: 'GET', body: '' },
    { status: 307, method: 'POST', becomes: 'POST', body: 'text' },
    { status: 308, method: 'PUT', becomes: 'PUT', body: 'text' },
  ])('by $status of $method become $becomes', async ({ status, method, becomes, body }) => {
    const holder = await holderOf();
    const path = `${api.origin}/old?to=/new&status=${status}`;
    expect((await holder.fetch(path, { method, body: 'text' })).status).toBe(200);
    expect(api.seen.at(-1)).toMatchObject({ method: becomes, path: '/new', body });
  });

  it('are handed on or refused where the caller says so, and for a streamed body', async () => {
    const holder = await holderOf();
    const path = `${api.origin}/old?to=/new&status=307`;
    expect((await holder.fetch(path, { redirect: 'manual' })).status).toBe(307);
    const refused = { name: 'HolderError', code: 'redirect_refused' };
    await expect(holder.fetch(path, { redirect: 'error' })).rejects.toMatchObject(refused);
    const streamed = { method: 'POST', body: streamOf('once'), duplex: 'half' };
    await expect(holder.fetch(path, streamed)).rejects.toMatchObject(refused);
    const circle = `${api.origin}/old?to=${encodeURIComponent('/old?to=/old')}`;
    expect((await holder.fetch(circle)).status).toBe(200);
  });

  it('in a circle end', async () => {
    const holder = await holderOf();
    const location = { location: '/circle' };
    const circle = await openApi(server.issuer, {
      open: (_request, response) => Boolean(response.writeHead(302, location).end()),
    });
    const fetched = holder.for({ resource: api.origin, origins: [circle.origin] });
    await expect(fetched.fetch(`${circle.origin}/circle`)).rejects.toMatchObject({
      code: 'redirect_refused',
    });
    await circle.close();
  });
});

describe('requests that are not sent', () => {
  it.each([
    { what: 'to an origin that the token is not for', url: 'https://elsewhere.example.com' },
    { what: 'over plain HTTP to another machine', url: 'http://api.example.com/' },
    { what: 'with a password in the URL', url: 'http://me:you@127.0.0.1/' },
    { what: 'with Authorization', headers: { Authorization: 'Bearer mine' } },
    { what: 'with a proof', headers: { DPoP: 'mine' } },
  ])('$what', async ({ url, headers }) => {
    const { fetch, sent } = notingFetch();
    const holder = await holderOf({ fetch });
    const refused = holder.fetch(url ?? `${api.origin}/reports`, headers && { headers });
    await expect(refused).rejects.toMatchObject({ name: 'HolderError' });
    expect(sent).toEqual([]);
  });
});

it('authorize and observe do the same for software that does not use fetch', async () => {
  const holder = await holderOf({ clientId: 'nonces', resource: noncesApi.origin });
  const url = `${noncesApi.origin}/reports`;
  const ask = async () => fetch(url, { headers: await holder.authorize('GET', url) });
  const refused = await ask();
  expect(refused.status).toBe(401);
  expect(await holder.observe(url, refused)).toBe('nonce');
  const answer = await ask();
  expect(answer.status).toBe(200);
  expect(await holder.observe(url, answer)).toBeUndefined();
  await expect(holder.authorize('GET', stranger.origin)).rejects.toMatchObject({
    code: 'origin_not_allowed',
  });
});
