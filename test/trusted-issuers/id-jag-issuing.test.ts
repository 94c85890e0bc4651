import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RefusalReason, refusalReasons } from '../../src/domain/refusal-reasons.ts';
import { type Federation, federation } from '../support/id-jag.ts';
import { pairSecret, unaware } from '../support/pair.ts';
import { jwtBearerGrant } from '../support/platform.ts';
import { type Answer, basic, issuer, type TestServer, testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

const elsewhere = 'https://auth.partner.example';
const chat = 'https://chat.partner.example';
const created = async (server: TestServer, path: string, body: object) => {
  const answer = await server.admin('POST', path, body);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body as { id: string };
};
const idJagType = 'urn:ietf:params:oauth:token-type:id-jag';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'an ID token for an identity assertion grant at another server, on $name',
  (kind) => {
    let [made, partner]: [Federation, TestServer] = [] as never;
    let id: string;
    beforeAll(async () => {
      made = await federation({ kind }, { subject_prefix: 'idp:' });
      ({ id } = await created(made.pair.server, 'authorization-servers', {
        issuer: elsewhere,
        clients: [
          { client_id: 'app', remote_client_id: 'app-over-there' },
          { client_id: 'gone', remote_client_id: 'gone-over-there' },
        ],
        scope: 'chat.read chat.write',
        resources: [chat],
      }));
      // The other server is a second one of this kind, which trusts the first.
      partner = await testServer({ env: { ISSUER: elsewhere }, clock: made.pair.server.clock });
      const jwks = (await made.pair.server.get('/jwks')).body;
      for (const [path, body] of [
        ['resource-servers', { audience: chat, scopes: ['chat.read', 'chat.write'] }],
        ['trusted-issuers', { issuer, purposes: ['id_jag'], jwks }],
        [
          'clients',
          {
            client_id: 'app-over-there',
            client_secret: pairSecret,
            scope: 'chat.read chat.write',
            grant_types: [jwtBearerGrant],
          },
        ],
      ] as const)
        await created(partner, path, body);
    });
    afterAll(async () => {
      await partner.stop();
      await made.pair.server.stop();
    });

    const ask = async (
      form: object = {},
      {
        client = 'app',
        key = made.pair.appKey,
        idToken,
      }: { client?: string; key?: Federation['idp']; idToken?: string } = {},
    ) =>
      made.pair.server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          requested_token_type: idJagType,
          subject_token: idToken ?? (await made.idToken()),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
          audience: elsewhere,
          resource: chat,
          scope: 'chat.read',
          ...form,
        },
        { authorization: basic(client, pairSecret), dpop: await key.proof() },
      );
    const atPartner = async (assertion: string, key = made.pair.appKey) =>
      partner.post(
        '/token',
        { grant_type: jwtBearerGrant, assertion },
        {
          authorization: basic('app-over-there', pairSecret),
          dpop: await key.proof({ htu: `${elsewhere}/token` }),
        },
      );
    const outcome = ({ status, body }: Answer) => {
      const { reason } = made.pair.server.logs.findLast(({ msg }) => msg === 'request') ?? {};
      return status === 200 ? 'a grant' : [body.error, reason];
    };
    const refusal = (reason: RefusalReason) => [refusalReasons[reason].code, reason];

    it('names the other server, the client by its name there, the user, the bounds and the proven key', async () => {
      const { body } = await ask();
      expect(body).toEqual({
        access_token: expect.any(String),
        issued_token_type: idJagType,
        token_type: 'N_A',
        expires_in: 300,
        scope: 'chat.read',
      });
      expect(decodeProtectedHeader(body.access_token)).toMatchObject({
        typ: 'oauth-id-jag+jwt',
        alg: 'ES256',
      });
      const { jti, iat = 0, exp = 0, ...claims } = decodeJwt(body.access_token as string);
      expect(exp - iat).toBe(300);
      expect(claims).toEqual({
        iss: issuer,
        sub: 'idp:alice',
        aud: elsewhere,
        client_id: 'app-over-there',
        resource: chat,
        scope: 'chat.read',
        cnf: { jkt: made.pair.appKey.jkt },
      });
      const { body: events } = await made.pair.server.admin('GET', `audit-events?jti=${jti}`);
      expect(events.items[0]).toMatchObject({
        type: 'id_jag_issued',
        client_id: 'app',
        audience: elsewhere,
        jkt: made.pair.appKey.jkt,
        grant_authority: made.id,
      });
    });
    it('is taken there once, by this key only, and nowhere for an access token', async () => {
      const grant = (await ask()).body.access_token as string;
      expect((await atPartner(grant, made.pair.thiefKey)).body.error).toBe('invalid_grant');
      const { body } = await atPartner(grant);
      expect(decodeJwt(body.access_token as string)).toMatchObject({
        iss: elsewhere,
        sub: 'idp:alice',
        aud: chat,
        scope: 'chat.read',
        cnf: { jkt: made.pair.appKey.jkt },
      });
      expect((await atPartner(grant)).body.error).toBe('invalid_grant');
      expect((await made.pair.introspect(grant, 'unaware-rs')).body).toEqual({ active: false });
      expect((await made.grant(grant)).status).toBe(400);
    });
    it.each<[string, readonly string[] | null, unknown]>([
      ['the only resource', [chat], chat],
      ['every resource', [chat, unaware], [chat, unaware]],
      ['no resource where none is', null, undefined],
    ])(
      'without scope and resource has all the scope and %s that is registered',
      async (_, resources, resource) => {
        const { admin } = made.pair.server;
        await admin('PATCH', `authorization-servers/${id}`, { resources });
        const { body } = await ask({ scope: undefined, resource: undefined });
        await admin('PATCH', `authorization-servers/${id}`, { resources: [chat] });
        const claims = decodeJwt(body.access_token as string);
        expect([claims['scope'], claims['resource']]).toEqual(['chat.read chat.write', resource]);
      },
    );

    it.each<[string, RefusalReason, object, { client?: string }]>([
      ['no audience', 'id_jag_audience_not_allowed', { audience: undefined }, {}],
      [
        'an audience that is not registered',
        'id_jag_audience_not_allowed',
        { audience: 'https://no.example.com' },
        {},
      ],
      ['a client that is not listed', 'id_jag_audience_not_allowed', {}, { client: 'thief' }],
      ['another resource', 'resource_not_allowed', { resource: unaware }, {}],
      ['a resource that is none', 'resource_malformed', { resource: 'chat' }, {}],
      ['more scope', 'scope_not_allowed', { scope: 'chat.read chat.admin' }, {}],
      ['no subject token', 'subject_token_missing', { subject_token: undefined }, {}],
      [
        'an access token',
        'id_jag_exchange_subject_type',
        { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
        {},
      ],
      ['an actor token', 'actor_token_type', { actor_token: 'a.b.c' }, {}],
      ['additional holders', 'alt_cnf_not_supported_by_audience', { req_alt_cnf: '[]' }, {}],
    ])('for %s it is refused, and the ID token is not used up', async (_, reason, form, more) => {
      const idToken = await made.idToken();
      expect(outcome(await ask(form, { ...more, idToken }))).toEqual(refusal(reason));
      expect(outcome(await ask({}, { idToken }))).toBe('a grant');
    });
    it('an ID token is used up by it, and one that is bound needs its key', async () => {
      const idToken = await made.idToken({ cnf: { jkt: made.pair.appKey.jkt } });
      expect(outcome(await ask({}, { idToken, key: made.pair.thiefKey }))).toEqual(
        refusal('subject_token_key_mismatch'),
      );
      expect(outcome(await ask({}, { idToken }))).toBe('a grant');
      expect(outcome(await ask({}, { idToken }))).toEqual(refusal('id_token_replayed'));
    });
    it('a client that is registered anew under a listed name gets none', async () => {
      const { server } = made.pair;
      const client = {
        client_id: 'gone',
        client_secret: pairSecret,
        grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      };
      await server.admin('POST', 'clients', client);
      expect(outcome(await ask({}, { client: 'gone' }))).toBe('a grant');
      await server.admin('DELETE', 'clients/gone');
      await server.admin('POST', 'clients', client);
      expect(outcome(await ask({}, { client: 'gone' }))).toEqual(
        refusal('id_jag_audience_not_allowed'),
      );
    });
    it('is announced in the metadata, and ends with the registration of the other server', async () => {
      const { server } = made.pair;
      const { body } = await server.get('/.well-known/oauth-authorization-server');
      expect(body.identity_chaining_requested_token_types_supported).toEqual([idJagType]);
      const own = { issuer, clients: [{ client_id: 'app', remote_client_id: 'app' }] };
      expect((await server.admin('POST', 'authorization-servers', own)).status).toBe(400);
      expect((await server.admin('DELETE', `authorization-servers/${id}`)).status).toBe(204);
      expect(outcome(await ask())).toEqual(refusal('id_jag_audience_not_allowed'));
    });
  },
);
