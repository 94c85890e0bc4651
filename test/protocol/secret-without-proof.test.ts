import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic } from '../support/server.ts';
import {
  type Asked,
  assertionForm,
  clientSecret,
  jwtBearer,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const cc = { grant_type: 'client_credentials' };
const wrong = 'w'.repeat(32);
let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
  for (const token_endpoint_auth_method of ['client_secret_basic', 'client_secret_post'])
    await fixture.server.admin('POST', 'clients', {
      client_id: token_endpoint_auth_method,
      client_secret: clientSecret,
      token_endpoint_auth_method,
    });
  const off = { client_id: 'off', client_secret: clientSecret, disabled: true };
  await fixture.server.admin('POST', 'clients', off);
});
afterAll(async () => fixture.server.stop());

describe('RFC 9449 §5: a token request with a secret that proves no key', () => {
  const post = (client_id: string, client_secret: string, more: object = {}): Asked => ({
    authorization: null,
    dpop: null,
    form: { ...cc, client_id, client_secret, ...more },
  });
  const byBasic = (clientId: string, secret: string): Asked => ({
    authorization: basic(clientId, secret),
    dpop: null,
  });
  const rows: readonly (readonly [string, Asked])[] = ['app', 'nobody', 'off', 'signer'].flatMap(
    (client) =>
      [clientSecret, wrong].flatMap((secret) => {
        const what = `of ${client}, ${secret === wrong ? 'another secret' : 'its secret'}`;
        return [
          [`by Basic, ${what}`, byBasic(client, secret)],
          [`in the body, ${what}`, post(client, secret)],
        ] as const;
      }),
  );
  it.each([
    ...rows,
    ['by Basic, registered for the body', byBasic('client_secret_post', clientSecret)],
    ['in the body, registered for Basic', post('client_secret_basic', clientSecret)],
    [
      'a token exchange',
      post('app', clientSecret, {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: 'x',
      }),
    ],
  ] as const)('is told that a proof is required: %s', async (_, asked) => {
    const { status, body, headers } = await fixture.send(asked);
    expect([status, headers['www-authenticate'], JSON.parse(body)]).toEqual([
      400,
      undefined,
      {
        error: 'invalid_request',
        error_description:
          'a proof of possession is required, because this server issues no bearer tokens: send a DPoP proof (RFC 9449), or use mutual TLS (RFC 8705)',
      },
    ]);
  });
  it.each<[string, Asked, string]>([
    ['client_id alone', { authorization: null, dpop: null, form: { ...cc, client_id: 'app' } }, ''],
    ['no credentials', { authorization: null, dpop: null }, ''],
    ['an unknown grant_type', { ...byBasic('app', wrong), form: { grant_type: 'x' } }, ''],
    ['no grant_type', { ...byBasic('app', wrong), form: {} }, ''],
    ['Basic that cannot be read', { authorization: 'Basic x', dpop: null }, ''],
    ['a DPoP field, whatever is in it', { ...byBasic('app', wrong), dpop: 'x' }, ''],
    [
      'an assertion alone',
      { authorization: null, dpop: null, form: assertionForm('a.b.c') },
      'the client assertion is not a well-formed signed JWT',
    ],
  ])('is judged by its credentials first: %s', async (_, asked, description) => {
    const { status, body } = await fixture.send(asked);
    expect([status, JSON.parse(body)]).toMatchObject([
      401,
      { error: 'invalid_client', ...(description !== '' && { error_description: description }) },
    ]);
  });
  it('an assertion and a secret are still two credentials', async () => {
    const two = { client_assertion_type: jwtBearer, client_assertion: 'a.b.c' };
    const { body } = await fixture.send(post('app', clientSecret, two));
    expect(JSON.parse(body)).toMatchObject({
      error_description: 'more than one client credential was sent',
    });
  });
  it('is judged by its credentials alone where it asks for no token', async () => {
    const authorization = basic('app', wrong);
    const { status } = await fixture.server.post(
      '/revoke',
      { token: 'x', ...cc },
      { authorization },
    );
    expect(status).toBe(401);
  });
  it('counts against its address, and not against the client whose name it bears', async () => {
    const env = { RATE_LIMIT_PER_ADDRESS: '4', RATE_LIMIT_PER_CLIENT: '2' };
    const limited = await tokenEndpointFixture({ env });
    const outcomes: string[] = [];
    for (let times = 0; times < 3; times++)
      outcomes.push(await limited.outcome(byBasic('app', clientSecret)));
    outcomes.push(await limited.outcome(), await limited.outcome());
    await limited.server.stop();
    expect(outcomes).toEqual([
      ...Array(3).fill('400 invalid_request'),
      `200 ${limited.key.jkt}`,
      '429 temporarily_unavailable',
    ]);
  });
});

describe('RFC 7591 §2: a client that is registered without token_endpoint_auth_method', () => {
  const bothWays = async (client: string) => [
    await fixture.outcome({ authorization: basic(client, clientSecret) }),
    await fixture.outcome({
      authorization: null,
      form: { ...cc, client_id: client, client_secret: clientSecret },
    }),
  ];
  const right = () => `200 ${fixture.key.jkt}`;

  it('authenticates by Basic or in the body, is shown as client_secret_basic, and stays so when it is changed', async () => {
    const { admin } = fixture.server;
    const made = await admin('POST', 'clients', {
      client_id: 'open',
      client_secret: clientSecret,
    });
    expect([made.status, made.body.token_endpoint_auth_method]).toEqual([
      201,
      'client_secret_basic',
    ]);
    expect(await bothWays('open')).toEqual([right(), right()]);
    const changed = await admin('PATCH', 'clients/open', { client_name: 'Open' });
    expect(changed.body.token_endpoint_auth_method).toBe('client_secret_basic');
    expect(Object.keys(changed.body)).not.toContain('secret_in_either_place');
    expect(await bothWays('open')).toEqual([right(), right()]);
  });
  it('is held to the method that it is given later, and the trail names that member', async () => {
    const { admin } = fixture.server;
    await admin('POST', 'clients', { client_id: 'later', client_secret: clientSecret });
    await admin('PATCH', 'clients/later', { token_endpoint_auth_method: 'client_secret_basic' });
    expect(await bothWays('later')).toEqual([right(), '401 invalid_client']);
    const { body } = await admin('GET', 'audit-events?client_id=later&type=client_changed');
    expect(body.items[0].detail.members).toEqual(['token_endpoint_auth_method']);
    await admin('PUT', 'clients/later', { client_secret: clientSecret });
    expect(await bothWays('later')).toEqual([right(), right()]);
    await admin('PATCH', 'clients/later', {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [(await testKey()).jwk] },
    });
    expect(await bothWays('later')).toEqual(['401 invalid_client', '401 invalid_client']);
  });
});
