import { createHash } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { type Answer, basic, issuer, startOfTime, type TestServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  clientSecret,
  seconds,
  type TokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const rs = basic('rs', clientSecret);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'RFC 7662, RFC 7009 on $name',
  (kind) => {
    let fixture: TokenEndpointFixture;
    let replica: TestServer;
    let close: Replicas['close'];
    const clock = { now: startOfTime };
    beforeAll(async () => {
      ({ fixture, replica, close } = await openReplicas(kind, { clock }));
      const listed = await fixture.server.admin('GET', 'resource-servers');
      await fixture.server.admin('DELETE', `resource-servers/${listed.body.items[0].id}`);
      await fixture.server.admin('POST', 'resource-servers', {
        audience,
        scopes: ['read'],
        client_id: 'rs',
        client_secret: clientSecret,
      });
      await fixture.server.admin('POST', 'resource-servers', {
        audience: 'https://other.example.com',
        client_id: 'other-rs',
        client_secret: clientSecret,
      });
    });
    afterAll(async () => close());

    const token = async (asked: Parameters<TokenEndpointFixture['send']>[0] = {}) => {
      const { body } = await fixture.send({
        form: { grant_type: 'client_credentials', resource: audience },
        ...asked,
      });
      return (JSON.parse(body) as { access_token: string }).access_token;
    };
    const introspect = async (
      form: Record<string, string>,
      authorization = rs,
      server = replica,
    ): Promise<Answer> => server.post('/introspect', form, { authorization });
    const active = async (accessToken: string) =>
      (await introspect({ token: accessToken })).body.active as boolean;
    const inactive = { active: false };

    it('§2.2: an active token with everything that it says, on the other replica too', async () => {
      const { status, headers, body } = await introspect({ token: await token() });
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect(body).toEqual({
        active: true,
        token_type: 'DPoP',
        iss: issuer,
        aud: audience,
        sub: 'app',
        client_id: 'app',
        scope: 'read',
        iat: seconds,
        exp: expect.any(Number),
        jti: expect.any(String),
        cnf: { jkt: fixture.key.jkt },
      });
    });
    it('§2.1: whatever the hint says', async () => {
      expect(
        (await introspect({ token: await token(), token_type_hint: 'refresh_token' })).body.active,
      ).toBe(true);
    });
    it('§2.2: everything else is exactly {"active":false}', async () => {
      const good = await token();
      const [header, payload] = good.split('.');
      const foreign = await (await testKey()).sign(
        { iss: issuer, aud: audience, exp: seconds + 60, jti: 'x', client_id: 'app' },
        { typ: 'at+jwt', kid: 'x' },
      );
      const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
      const spellings = [
        `${good}=`,
        `${good} `,
        ` ${good}`,
        `${good}.`,
        `${header}.${payload}.`,
        `${header}.${payload}`,
      ];
      const others = [
        'random',
        `${header}.${payload}.AAAA`,
        foreign,
        unsigned,
        ...spellings,
        await fixture.key.proof(),
        'a.b.c',
        'x'.repeat(60_000),
      ];
      for (const other of others)
        expect((await introspect({ token: other })).body).toEqual(inactive);
      expect((await introspect({ token: good }, basic('other-rs', clientSecret))).body).toEqual(
        inactive,
      );
      expect((await introspect({ token: good }, basic('app', clientSecret))).body).toEqual(
        inactive,
      );
      clock.now += 3_600_000;
      const expired = (await introspect({ token: good })).body;
      clock.now -= 3_600_000;
      expect(expired).toEqual(inactive);
    });
    it('§2.1: the caller is authenticated', async () => {
      const good = await token();
      expect((await introspect({ token: good }, basic('rs', 'w'.repeat(32)))).status).toBe(401);
      expect((await replica.post('/introspect', { token: good })).status).toBe(401);
      expect(
        (await replica.post('/introspect', { token: good }, { authorization: `Bearer ${good}` }))
          .status,
      ).toBe(401);
      expect((await introspect({})).body.error).toBe('invalid_request');
      expect(
        (await replica.post('/introspect', `token=${good}&token=${good}`, { authorization: rs }))
          .body.error,
      ).toBe('invalid_request');
      expect(
        (await replica.post(`/introspect?token=${good}`, '', { authorization: rs })).body.error,
      ).toBe('invalid_request');
      const json = { authorization: rs, 'content-type': 'application/json' };
      expect(
        (await replica.post('/introspect', JSON.stringify({ token: good }), json)).body.error,
      ).toBe('invalid_request');
      const post = await replica.post('/introspect', {
        token: good,
        client_id: 'rs',
        client_secret: clientSecret,
      });
      expect(post.body.active).toBe(true);
      expect((await replica.get('/introspect')).status).toBe(405);
    });
    it('RFC 9701: signed for the resource server that asks, as oauth4webapi checks it', async () => {
      const accessToken = await token();
      const response = await fetch(`${replica.url}/introspect`, {
        method: 'POST',
        headers: {
          authorization: rs,
          accept: 'application/token-introspection+jwt',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ token: accessToken }),
      });
      expect(response.headers.get('content-type')).toBe('application/token-introspection+jwt');
      const jws = await response.clone().text();
      const claims = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as {
        iat: number;
      };
      // The answer is no token, though it is signed by the same key.
      expect((await introspect({ token: jws })).body).toEqual(inactive);
      const as = { issuer, jwks_uri: `${replica.url}/jwks` };
      const answer = await oauth.processIntrospectionResponse(
        as,
        {
          client_id: 'rs',
          introspection_signed_response_alg: 'ES256',
          [oauth.clockSkew]: claims.iat - Math.floor(Date.now() / 1000),
        },
        response,
      );
      expect(answer).toMatchObject({ active: true, cnf: { jkt: fixture.key.jkt } });
    });

    const signed = 'application/token-introspection+jwt';
    const plain = 'application/json; charset=utf-8';
    it.each([
      ['application/token-introspection+jwt', signed],
      ['application/json, Application/Token-Introspection+JWT', signed],
      ['application/token-introspection+jwt, application/json', signed],
      ['application/json;q=0.5, application/token-introspection+jwt; Q=0.5', signed],
      ['application/token-introspection+jwt;q=0.1', signed],
      ['application/token-introspection+jwt;q=0.9, */*;q=0.1', signed],
      ['application/token-introspection+jwt;q=0.2, application/json;q=0.1, */*', signed],
      ['application/token-introspection+jwt;q=0.1, application/json;q=0', signed],
      ['application/token-introspection+jwt;q=0.1, application/json;q=0.9', plain],
      ['application/json, Application/Token-Introspection+JWT;q=0.5', plain],
      ['application/token-introspection+jwt;q=0.001, application/json;q=0.002', plain],
      ['application/token-introspection+jwt;q=0.5, application/*;q=0.6', plain],
      ['application/token-introspection+jwt;q=0.5, */*', plain],
      ['application/token-introspection+jwt;q=0, application/json;q=0', plain],
      ['application/token-introspection+jwt;q=0.000', plain],
      ['application/*', plain],
      ['application/token-introspection+jwt;q=0', plain],
      ['application/token-introspection+jwtx', plain],
      ['*/*', plain],
      ['', plain],
    ])('RFC 9701 §4, RFC 9110 §12.4.2: Accept: %s is answered by %s', async (accept, type) => {
      const { headers } = await replica.post(
        '/introspect',
        { token: 'x' },
        { authorization: rs, accept },
      );
      expect(headers.get('content-type')).toBe(type);
    });

    describe('with proof', () => {
      const url = 'https://rs.example.com/things';
      const proofFor = async (accessToken: string, key = fixture.key, claims: object = {}) =>
        key.proof({
          htm: 'GET',
          htu: url,
          ath: createHash('sha256').update(accessToken).digest('base64url'),
          ...claims,
        });
      it('says whether it confirms the token, once', async () => {
        const accessToken = await token();
        const form = {
          token: accessToken,
          dpop_proof: await proofFor(accessToken),
          htm: 'GET',
          htu: url,
        };
        expect((await introspect(form)).body.proof).toEqual({ valid: true, presenter: 'app' });
        expect((await introspect(form, rs, fixture.server)).body.proof).toEqual({
          valid: false,
          reason: 'proof_replayed',
        });
      });
      it.each([
        ['another key', async (t: string) => proofFor(t, await testKey()), 'key_mismatch'],
        ['another token', async () => proofFor('x'), 'proof_ath_mismatch'],
        [
          'another method',
          async (t: string) => proofFor(t, fixture.key, { htm: 'POST' }),
          'proof_htm_mismatch',
        ],
        [
          'another URI',
          async (t: string) => proofFor(t, fixture.key, { htu: 'https://rs.example.com/x' }),
          'proof_htu_mismatch',
        ],
        [
          'too old',
          async (t: string) => proofFor(t, fixture.key, { iat: seconds - 61 }),
          'proof_iat_too_old',
        ],
        ['garbage', async () => 'garbage', 'proof_malformed'],
      ])('%s does not', async (_, make, reason) => {
        const accessToken = await token();
        const { body } = await introspect({
          token: accessToken,
          dpop_proof: await make(accessToken),
          htm: 'GET',
          htu: url,
        });
        expect(body).toMatchObject({ active: true, proof: { valid: false, reason } });
      });
      it('needs method and URI', async () => {
        const accessToken = await token();
        expect(
          (await introspect({ token: accessToken, dpop_proof: await proofFor(accessToken) })).body
            .error,
        ).toBe('invalid_request');
      });
      it('a certificate that the token does not name, or none at all', async () => {
        const accessToken = await token();
        expect(
          (await introspect({ token: accessToken, client_certificate: 'x' })).body.proof,
        ).toEqual({
          valid: false,
          reason: 'certificate_malformed',
        });
      });
    });

    describe('RFC 7009', () => {
      const revoke = async (
        accessToken: string,
        authorization = basic('app', clientSecret),
        more = {},
      ) => fixture.server.post('/revoke', { token: accessToken, ...more }, { authorization });
      it('a token of its own is inactive at once on every replica', async () => {
        const accessToken = await token();
        expect(await active(accessToken)).toBe(true);
        expect(
          await revoke(accessToken, undefined, { token_type_hint: 'refresh_token' }),
        ).toMatchObject({ status: 200, body: '' });
        expect([await active(accessToken), (await revoke(accessToken)).status]).toEqual([
          false,
          200,
        ]);
      });
      it("another client's token is refused and stays active", async () => {
        const accessToken = await token();
        await fixture.server.admin('POST', 'clients', {
          client_id: 'stranger',
          client_secret: clientSecret,
        });
        expect((await revoke(accessToken, basic('stranger', clientSecret))).body.error).toBe(
          'invalid_request',
        );
        expect(await active(accessToken)).toBe(true);
      });
      it('an unknown token is 200, no token 400, no client 401, repeated 400', async () => {
        expect((await revoke('unknown')).status).toBe(200);
        expect((await revoke('')).body.error).toBe('invalid_request');
        expect((await revoke('x', basic('app', 'w'.repeat(32)))).body.error).toBe('invalid_client');
        expect(
          (
            await fixture.server.post('/revoke', 'token=a&token=b', {
              authorization: basic('app', clientSecret),
            })
          ).body.error,
        ).toBe('invalid_request');
        expect((await fixture.server.get('/revoke')).status).toBe(405);
      });
      it('an assertion counts once here too', async () => {
        const { client_assertion, client_assertion_type } = assertionForm(
          await fixture.key.assertion('signer'),
        );
        const form = { token: 'x', client_assertion, client_assertion_type };
        expect([
          (await fixture.server.post('/revoke', form)).status,
          (await fixture.server.post('/revoke', form)).body.error,
        ]).toEqual([200, 'invalid_client']);
      });
    });

    describe('the operator', () => {
      it('revokes one token, all tokens bound to a key, all tokens of a client', async () => {
        const [one, two, three] = [
          await token(),
          await token(),
          await token({ dpop: await (await testKey()).proof() }),
        ];
        const jti = (
          JSON.parse(Buffer.from(one.split('.')[1] ?? '', 'base64url').toString()) as {
            jti: string;
          }
        ).jti;
        expect((await replica.admin('DELETE', `tokens/${jti}`)).status).toBe(204);
        expect([await active(one), await active(two), await active(three)]).toEqual([
          false,
          true,
          true,
        ]);
        expect(
          (await replica.admin('DELETE', `keys/${fixture.key.jkt}/tokens`)).body.revoked,
        ).toBeGreaterThan(0);
        expect([await active(two), await active(three), await active(await token())]).toEqual([
          false,
          true,
          true,
        ]);
        await replica.admin('DELETE', 'clients/app/tokens');
        expect(await active(three)).toBe(false);
        expect((await replica.admin('DELETE', 'tokens/unknown')).status).toBe(404);
        const { body } = await replica.admin('GET', 'audit-events?type=client_created');
        expect((await replica.admin('DELETE', `tokens/${body.items[0].id}`)).status).toBe(404);
      });
      it('disables a client, and its tokens are inactive until it is enabled again', async () => {
        const accessToken = await token();
        await replica.admin('PATCH', 'clients/app', { disabled: true });
        const while_disabled = await active(accessToken);
        await replica.admin('PATCH', 'clients/app', { disabled: false });
        expect([while_disabled, await active(accessToken)]).toEqual([false, true]);
      });
      it('replaces a registered key, and the tokens bound to it are inactive', async () => {
        const [old, next] = [await testKey(), await testKey()];
        const client = (key: typeof old) => ({
          token_endpoint_auth_method: 'private_key_jwt',
          client_assertion_bound_access_tokens: true,
          jwks: { keys: [key.jwk] },
        });
        const client_id = 'rotates';
        await replica.admin('POST', 'clients', { client_id, ...client(old) });
        const accessToken = await token({
          authorization: null,
          dpop: null,
          form: assertionForm(await old.assertion(client_id), { resource: audience }),
        });
        expect(await active(accessToken)).toBe(true);
        const byProof = await token({
          authorization: null,
          dpop: await old.proof(),
          form: assertionForm(await old.assertion(client_id), { resource: audience }),
        });
        expect(await active(byProof)).toBe(true);
        await replica.admin('PUT', `clients/${client_id}`, client(next));
        expect([await active(accessToken), await active(byProof)]).toEqual([false, false]);
      });
      it('deletes a client, and its tokens are inactive', async () => {
        await replica.admin('POST', 'clients', { client_id: 'gone', client_secret: clientSecret });
        const accessToken = await token({ authorization: basic('gone', clientSecret) });
        expect(await active(accessToken)).toBe(true);
        await replica.admin('DELETE', 'clients/gone');
        expect(await active(accessToken)).toBe(false);
        // A namesake is another client: what its predecessor had stays inactive.
        await replica.admin('POST', 'clients', { client_id: 'gone', client_secret: clientSecret });
        // The replica that was told knows it at once, another one within a second.
        const renewed = await replica.post(
          '/token',
          { grant_type: 'client_credentials', resource: audience },
          { authorization: basic('gone', clientSecret), dpop: await fixture.key.proof() },
        );
        expect([await active(accessToken), await active(renewed.body.access_token)]).toEqual([
          false,
          true,
        ]);
      });
      it('finds every issuance, revocation and registration in the audit trail', async () => {
        const accessToken = await token();
        const { jti } = JSON.parse(
          Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString(),
        ) as { jti: string };
        const { body } = await replica.admin('GET', `audit-events?jti=${jti}`);
        expect(body.items).toEqual([
          expect.objectContaining({
            id: jti,
            type: 'token_issued',
            actor: 'client:app',
            client_id: 'app',
            audience,
            jkt: fixture.key.jkt,
            evidence: 'dpop_proof',
            at: new Date(startOfTime).toISOString(),
          }),
        ]);
        const first = await replica.admin('GET', 'audit-events?limit=2');
        const second = await replica.admin(
          'GET',
          `audit-events?limit=2&cursor=${first.body.next_cursor}`,
        );
        expect(first.body.items.length + second.body.items.length).toBe(4);
        expect(
          (await replica.admin('GET', 'audit-events?type=client_created')).body.items.length,
        ).toBeGreaterThan(3);
        expect((await replica.admin('GET', 'audit-events?foo=1')).body.member).toBe('foo');
        const lines = (
          await replica.admin('GET', 'audit-events', undefined, { accept: 'application/jsonl' })
        ).body as string;
        expect(
          lines
            .trim()
            .split('\n')
            .map((line) => (JSON.parse(line) as { id: string }).id.length > 20),
        ).not.toContain(false);
      });
    });
  },
);
