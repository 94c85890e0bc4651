import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import {
  audience,
  jwtBearerGrant,
  openPlatform,
  type Platform,
  shortly,
} from '../support/platform.ts';
import { platformAgain } from '../support/platform-again.ts';
import { basic } from '../support/server.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds } from '../support/stores.ts';

const claims = { '/kubernetes.io/namespace': 'orders' };
const secret = 's'.repeat(32);

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'RFC 7523 §2.1: a platform’s token as grant, on $name',
  (kind) => {
    const members = { subject_prefix: 'k8s:' };
    let [opened, platform, mine]: [Platform, Platform, TestKey] = [] as never;
    beforeAll(async () => {
      opened = await openPlatform({ kind }, members);
    });
    beforeEach(async () => {
      mine = await testKey();
      platform = await platformAgain(opened, members);
      for (const type of ['token_issued', 'assertion_second_key'])
        for (const { id } of await platform.events(type)) earlier.add(id as string);
    });
    /** Ids of the events before this test. */
    const earlier = new Set<string>();
    const newEvents = async (type: string) =>
      (await platform.events(type)).filter(({ id }) => !earlier.has(id as string));
    afterAll(async () => opened.server.stop());
    const rule = async (more: object = {}) =>
      platform.rule({
        claims,
        subject: 'ns/{"kubernetes.io".namespace}',
        scope: 'read',
        resources: [audience],
        ...more,
      });
    const active = async (token: string, authorization = basic('rs', 'r'.repeat(32))) =>
      (await platform.server.post('/introspect', { token }, { authorization })).body.active;
    const issued = async () =>
      (await platform.grant(await platform.token(), { by: mine })).body.access_token as string;

    it('needs no registered client: the token is for the subject, bound, and recorded as a workload’s', async () => {
      const id = await rule({ access_token_lifetime: 120 });
      const { body } = await platform.grant(await platform.token(), { by: mine });
      const client_id = `urn:holdfast:rule:${id}`;
      expect(body).toMatchObject({ token_type: 'DPoP', expires_in: 120, scope: 'read' });
      expect(body.refresh_token).toBeUndefined();
      expect(decodeJwt(body.access_token)).toMatchObject({
        sub: 'k8s:ns/orders',
        client_id,
        aud: audience,
        cnf: { jkt: mine.jkt },
      });
      expect(await newEvents('token_issued')).toMatchObject([
        {
          actor: `client:${client_id}`,
          grant_authority: id,
          client_authority: id,
          detail: { of_workload: true },
        },
      ]);
      expect(await active(body.access_token as string)).toBe(true);
    });
    it.each<[string, string, object]>([
      ['no proof', '400 invalid_request', { proof: null }],
      [
        'the client_id of a rule that is another',
        '400 invalid_grant',
        { form: { client_id: 'urn:holdfast:rule:x' } },
      ],
      [
        'the client_id of a registered client',
        '401 invalid_client',
        { form: { client_id: 'worker' } },
      ],
      ['no assertion', '400 invalid_request', { form: { assertion: undefined } }],
      ['more scope than the rule has', '400 invalid_scope', { form: { scope: 'write' } }],
    ])('with %s: %s', async (_, expected, options) => {
      await rule();
      expect(shortly(await platform.grant(await platform.token(), options))).toBe(expected);
    });
    it.each<[string, object]>([
      ['empty', { 'kubernetes.io': { namespace: 'orders', pod: '' } }],
      ['no string', { 'kubernetes.io': { namespace: 'orders', pod: { name: 'x' } } }],
      ['missing', {}],
      ['too long', { 'kubernetes.io': { namespace: 'orders', pod: 'x'.repeat(300) } }],
    ])('a claim of the subject that is %s refuses', async (_, more) => {
      await rule({ subject: '{/kubernetes.io/pod}' });
      const token = await platform.token(more);
      expect(shortly(await platform.grant(token))).toBe('400 invalid_grant');
    });
    it('a subject that has the name of a client is refused, and so is its token’s exchange later', async () => {
      await rule();
      const { admin } = platform.server;
      // The client is there before the prefix, which would refuse it.
      const issuer = `trusted-issuers/${platform.id}`;
      await admin('PATCH', issuer, { subject_prefix: 'elsewhere:' });
      const made = await admin('POST', 'clients', { client_id: 'k8s:ns/orders' });
      expect(made.status).toBe(201);
      await admin('PATCH', issuer, { subject_prefix: 'k8s:' });
      expect(shortly(await platform.grant(await platform.token()))).toBe('400 invalid_grant');
      await platform.server.admin('DELETE', 'clients/k8s:ns%2Forders');
      expect(shortly(await platform.grant(await platform.token()))).toBe('200 k8s:ns/orders');
    });
    it('a rule that names a client wants that client to authenticate, and the token is its', async () => {
      await platform.server.admin('POST', 'clients', {
        client_id: 'gateway',
        client_secret: secret,
        scope: 'read',
        grant_types: [jwtBearerGrant],
      });
      const others = { grant_types: [jwtBearerGrant], client_secret: secret };
      await platform.server.admin('POST', 'clients', { client_id: 'thief', ...others });
      await platform.server.admin('POST', 'clients', { client_id: 'plain', client_secret: secret });
      await rule({ client_id: 'gateway' });
      const token = await platform.token();
      const as = async (client: string) =>
        shortly(await platform.grant(token, { headers: { authorization: basic(client, secret) } }));
      expect(shortly(await platform.grant(token))).toBe('400 invalid_grant');
      expect(await as('thief')).toBe('400 invalid_grant');
      expect(await as('plain')).toBe('400 unauthorized_client');
      expect(await as('gateway')).toBe('200 k8s:ns/orders');
      // And for nobody who gets the name later.
      await platform.server.admin('DELETE', 'clients/gateway');
      await platform.server.admin('POST', 'clients', { client_id: 'gateway', ...others });
      expect(await as('gateway')).toBe('400 invalid_grant');
    });
    it.each<[string, (path: string) => Promise<unknown>, string]>([
      [
        'an unrelated change',
        async (path) => platform.server.admin('PATCH', path, { name: 'renamed' }),
        '400 invalid_grant',
      ],
      [
        'what was read, written back',
        async (path) => {
          const { body } = await platform.server.admin('GET', path);
          const { id: _, trusted_issuer_id: __, ...members } = body;
          return platform.server.admin('PUT', path, members);
        },
        '400 invalid_grant',
      ],
      [
        'the exported configuration, changed and applied',
        async () => {
          const { trusted_issuers } = (await platform.server.admin('GET', 'configuration')).body;
          trusted_issuers[0].rules[0].priority = 90;
          return platform.server.admin('POST', 'configuration', { trusted_issuers });
        },
        '400 invalid_grant',
      ],
      [
        'a change that says that it is to be for anybody',
        async (path) => platform.server.admin('PATCH', path, { client_id: null }),
        '200 k8s:ns/orders',
      ],
    ])('a rule whose client is deleted is not for anybody after %s', async (_, edit, expected) => {
      const gateway = {
        client_id: 'gateway',
        client_secret: secret,
        grant_types: [jwtBearerGrant],
      };
      await platform.server.admin('POST', 'clients', gateway);
      const id = await rule({ name: 'r', client_id: 'gateway', resources: [audience] });
      await platform.server.admin('DELETE', 'clients/gateway');
      const path = `trusted-issuers/${platform.id}/rules/${id}`;
      expect((await platform.server.admin('GET', path)).body.client_id).toBe('gateway');
      await edit(path);
      expect(shortly(await platform.grant(await platform.token()))).toBe(expected);
    });
    it('a configuration names a client that was registered anew for a rule, too', async () => {
      const gateway = {
        client_id: 'gateway',
        client_secret: secret,
        scope: 'read',
        grant_types: [jwtBearerGrant],
      };
      const { server } = platform;
      await server.admin('POST', 'clients', gateway);
      await rule({ client_id: 'gateway', resources: [audience] });
      const { trusted_issuers } = (await server.admin('GET', 'configuration')).body;
      await server.admin('DELETE', 'clients/gateway');
      const apply = async () =>
        (
          await server.admin('POST', 'configuration', { clients: [gateway], trusted_issuers })
        ).body.changes.map(({ kind, action }: Record<string, string>) => `${action} ${kind}`);
      expect(await apply()).toEqual(['create client', 'delete trust_rule', 'create trust_rule']);
      expect(await apply()).toEqual([]);
      const headers = { authorization: basic('gateway', secret) };
      expect(shortly(await platform.grant(await platform.token(), { headers }))).toBe(
        '200 k8s:ns/orders',
      );
    });
    it('RFC 7800 §3.1: an assertion that is bound itself needs a proof by that key', async () => {
      await rule();
      const { kty, crv, x, y } = mine.jwk;
      for (const cnf of [{ jkt: mine.jkt }, { jwk: { kty, crv, x, y } }]) {
        const token = await platform.token({ cnf });
        expect(shortly(await platform.grant(token))).toBe('400 invalid_grant');
        expect(shortly(await platform.grant(token, { by: mine }))).toBe('200 k8s:ns/orders');
      }
    });
    it('a rule without pin does not move a token that another rule has pinned', async () => {
      await platform.rule({ claims, client_id: 'worker', pin: true });
      await rule();
      const [token, thief] = [await platform.token(), await testKey()];
      const answers = [];
      for (const [ask, by] of [
        [platform.authenticate, mine],
        [platform.grant, thief],
        [platform.authenticate, thief],
        [platform.grant, mine],
        [platform.authenticate, mine],
      ] as const)
        answers.push(shortly(await ask(token, { by })));
      expect(answers).toEqual([
        '200 worker',
        '400 invalid_grant',
        '401 invalid_client',
        '200 k8s:ns/orders',
        '200 worker',
      ]);
    });
    it('a pinned assertion counts with its first key only; otherwise a second key is an event', async () => {
      const id = await rule();
      const token = await platform.token();
      await platform.grant(token, { by: mine });
      expect((await platform.grant(token)).status).toBe(200);
      expect(await newEvents('assertion_second_key')).toMatchObject([
        { client_id: `urn:holdfast:rule:${id}`, detail: { rule: id, first_jkt: mine.jkt } },
      ]);
      const path = `trusted-issuers/${platform.id}/rules/${id}`;
      await platform.server.admin('PATCH', path, { pin: true });
      const next = await platform.token();
      expect((await platform.grant(next, { by: mine })).status).toBe(200);
      expect(shortly(await platform.grant(next))).toBe('400 invalid_grant');
      expect((await platform.grant(next, { by: mine })).status).toBe(200);
    });
    it.each(['rule', 'trusted issuer'])(
      'what was issued is inactive, on status lists too, when the %s is removed; meanwhile it is valid',
      async (what) => {
        const listed = 'https://listed.example.com';
        await platform.server.admin('POST', 'resource-servers', {
          audience: listed,
          client_id: 'listed',
          client_secret: secret,
          status_list_enabled: true,
        });
        const id = await rule({ scope: undefined, resources: [listed] });
        const options = { by: mine, form: { resource: listed } };
        const token = (await platform.grant(await platform.token(), options)).body
          .access_token as string;
        const state = async () => {
          platform.server.clock.now += 130_000;
          const isActive = await active(token, basic('listed', secret));
          return `${isActive} ${await stateAt(platform.server, token)}`;
        };
        expect([await state(), await state()]).toEqual(['true valid', 'true valid']);
        const path = `trusted-issuers/${platform.id}`;
        const rules = what === 'rule' ? `/rules/${id}` : '';
        expect((await platform.server.admin('DELETE', `${path}${rules}`)).status).toBe(204);
        expect(await state()).toBe('false invalid');
      },
    );
    it('no client can be registered under the name of a rule', async () => {
      const body = { client_id: 'urn:holdfast:rule:x' };
      expect((await platform.server.admin('POST', 'clients', body)).status).toBe(400);
    });
    it('the operator revokes its tokens by their jti, their key, and the name of the rule', async () => {
      const id = await rule();
      const token = await issued();
      await platform.server.admin('DELETE', `clients/urn:holdfast:rule:${id}/tokens`);
      expect(await active(token)).toBe(false);
      const another = await issued();
      expect(await active(another)).toBe(true);
      await platform.server.admin('DELETE', `keys/${mine.jkt}/tokens`);
      expect(await active(another)).toBe(false);
    });
  },
);
