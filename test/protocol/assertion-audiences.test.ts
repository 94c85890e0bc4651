import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issuer } from '../support/server.ts';
import {
  assertionForm,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

let fixture: TokenEndpointFixture;
beforeAll(async () => {
  fixture = await tokenEndpointFixture();
  for (const client_assertion_audiences of ['issuer', 'endpoint'])
    await fixture.server.admin('POST', 'clients', {
      client_id: client_assertion_audiences,
      token_endpoint_auth_method: 'private_key_jwt',
      client_assertion_audiences,
      jwks: { keys: [fixture.key.jwk] },
    });
});
afterAll(async () => fixture.server.stop());

/** By each client: `signer` is registered for nothing besides the issuer as a string. */
const clients = ['signer', 'issuer', 'endpoint'] as const;
const statuses = async (path: string, aud: unknown) =>
  Promise.all(
    clients.map(async (client) => {
      const form = assertionForm(await fixture.key.assertion(client, { aud }), { token: 'x' });
      const dpop = await fixture.key.proof();
      return (await fixture.server.post(path, form, { dpop })).status;
    }),
  );

describe('RFC 7523 §3: aud of a client assertion, and client_assertion_audiences', () => {
  const [token, revoke] = [`${issuer}/token`, `${issuer}/revoke`];
  it.each<[unknown, readonly number[]]>([
    [issuer, [200, 200, 200]],
    [[issuer], [401, 200, 200]],
    [token, [401, 401, 200]],
    [[token], [401, 401, 200]],
    [revoke, [401, 401, 401]],
    [
      [issuer, token],
      [401, 401, 401],
    ],
    [
      [token, token],
      [401, 401, 401],
    ],
    [
      [issuer, 'https://other.example'],
      [401, 401, 401],
    ],
    [
      [issuer, null],
      [401, 401, 401],
    ],
    [[[issuer]], [401, 401, 401]],
    [[], [401, 401, 401]],
    [`${issuer}/`, [401, 401, 401]],
    [`${token}/`, [401, 401, 401]],
    [`${token}?x`, [401, 401, 401]],
    [token.toUpperCase(), [401, 401, 401]],
    ['https://other.example/token', [401, 401, 401]],
    [undefined, [401, 401, 401]],
    [null, [401, 401, 401]],
  ])('%j at the token endpoint: absent, issuer and endpoint answer %j', async (aud, expected) => {
    expect(await statuses('/token', aud)).toEqual(expected);
  });
  it.each<[unknown, readonly number[]]>([
    [issuer, [200, 200, 200]],
    [revoke, [401, 401, 200]],
    [token, [401, 401, 401]],
  ])(
    '%j at the revocation endpoint: absent, issuer and endpoint answer %j',
    async (aud, expected) => {
      expect(await statuses('/revoke', aud)).toEqual(expected);
    },
  );
  it('counts once, in whichever form', async () => {
    const assertion = await fixture.key.assertion('endpoint', { aud: [token] });
    const outcomes: string[] = [];
    for (let times = 0; times < 2; times++)
      outcomes.push(await fixture.outcome({ authorization: null, form: assertionForm(assertion) }));
    expect(outcomes).toEqual([`200 ${fixture.key.jkt}`, '401 invalid_client']);
  });
  it('is refused for a client that sends no assertions', async () => {
    const { status, body } = await fixture.server.admin('POST', 'clients', {
      client_assertion_audiences: 'issuer',
    });
    expect([status, body.member]).toEqual([400, 'client_assertion_audiences']);
  });
});
