import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsJwks, httpsJwks } from '../support/https-jwks.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { aware, openPair, type Pair, pairSecret, unaware } from '../support/pair.ts';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { basic, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { executeScript } from '../support/sql.ts';
import { pathOf, referenceOf, stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  type TokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const listed = 'https://listed.example.com';
const env = { STATUS_LIST_MAX_AGE: '120' };

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'draft-ietf-oauth-status-list on $name',
  (kind) => {
    let fixture: TokenEndpointFixture;
    let replica: TestServer;
    let close: Replicas['close'];
    const clock = { now: startOfTime };
    beforeAll(async () => {
      ({ fixture, replica, close } = await openReplicas(kind, { clock, env }));
      await fixture.server.admin('POST', 'resource-servers', {
        audience: listed,
        scopes: ['read'],
        client_id: 'listed',
        client_secret: clientSecret,
        status_list_enabled: true,
      });
    });
    afterAll(async () => close());

    const now = () => Math.floor(clock.now / 1000);
    const token = async (client = 'app', server = fixture.server): Promise<string> => {
      const dpop = await fixture.key.proof({ iat: now() });
      const answer = await server.post(
        '/token',
        { grant_type: 'client_credentials', resource: listed },
        { authorization: basic(client, clientSecret), dpop },
      );
      return answer.body.access_token as string;
    };
    const stateOf = async (accessToken: string, server = replica) => stateAt(server, accessToken);
    /** The servers look again after five seconds. */
    const later = () => {
      clock.now += 6000;
    };

    it('§6: only tokens of a resource server that wants it refer to a list, each by an index of its own', async () => {
      const { body } = await fixture.send({
        form: { grant_type: 'client_credentials', resource: 'https://rs.example.com' },
      });
      expect(
        decodeJwt((JSON.parse(body) as { access_token: string }).access_token)['status'],
      ).toBeUndefined();
      const tokens = await Promise.all(
        Array.from({ length: 60 }, async (_, index) =>
          token('app', index % 2 === 0 ? fixture.server : replica),
        ),
      );
      const references = tokens.map(referenceOf);
      expect(new Set(references.map(({ idx, uri }) => `${uri} ${idx}`)).size).toBe(60);
      const inOrder = references.map(({ idx }) => idx);
      expect(inOrder).not.toEqual([...inOrder].sort((a, b) => a - b));
      expect(references[0]?.uri).toMatch(/^https:\/\/as\.example\.com\/status-lists\/[\w-]{22}$/);
      for (const accessToken of tokens.slice(0, 4))
        expect(await stateOf(accessToken)).toBe('valid');
    });

    const client = async (client_id: string, more: object = {}) => {
      await fixture.server.admin('POST', 'clients', {
        client_id,
        client_secret: clientSecret,
        scope: 'read',
        ...more,
      });
      return client_id;
    };
    it.each<[string, (accessToken: string, id: string) => Promise<unknown>]>([
      [
        'its client gives it back',
        async (t, id) =>
          fixture.server.post('/revoke', { token: t }, { authorization: basic(id, clientSecret) }),
      ],
      [
        'the operator revokes it',
        async (t) => fixture.server.admin('DELETE', `tokens/${decodeJwt(t).jti}`),
      ],
      [
        "the operator revokes the client's tokens",
        async (_, id) => fixture.server.admin('DELETE', `clients/${id}/tokens`),
      ],
      [
        'the client is disabled',
        async (_, id) => fixture.server.admin('PATCH', `clients/${id}`, { disabled: true }),
      ],
      ['the client is deleted', async (_, id) => fixture.server.admin('DELETE', `clients/${id}`)],
    ])(
      '%s: the list says so within its time, on the other replica too, and of no other token',
      async (what, act) => {
        const id = await client(`client-${what.replace(/\W/g, '')}`);
        const [mine, other] = [await token(id), await token()];
        expect([await stateOf(mine), await stateOf(other)]).toEqual(['valid', 'valid']);
        await act(mine, id);
        later();
        expect([
          await stateOf(mine),
          await stateOf(mine, fixture.server),
          await stateOf(other),
        ]).toEqual(['invalid', 'invalid', 'valid']);
      },
    );

    it('a client that is enabled again, and one that comes back under its old id', async () => {
      const id = await client('comes-back');
      const accessToken = await token(id);
      await fixture.server.admin('PATCH', `clients/${id}`, { disabled: true });
      await fixture.server.admin('PATCH', `clients/${id}`, { disabled: false });
      later();
      expect(await stateOf(accessToken)).toBe('valid');
      await fixture.server.admin('DELETE', `clients/${id}`);
      await client(id);
      later();
      expect(await stateOf(accessToken)).toBe('invalid');
      const heard = await replica.post(
        '/introspect',
        { token: accessToken },
        { authorization: basic('listed', clientSecret) },
      );
      expect(heard.body).toEqual({ active: false });
    });

    it('all tokens bound to a key; a registered key that is replaced', async () => {
      const [old, next] = [await testKey(), await testKey()];
      const bound = {
        token_endpoint_auth_method: 'private_key_jwt',
        client_assertion_bound_access_tokens: true,
        scope: 'read',
      };
      await fixture.server.admin('POST', 'clients', {
        client_id: 'bound',
        ...bound,
        jwks: { keys: [old.jwk] },
      });
      const byAssertion = async (key: typeof old) => {
        const form = assertionForm(await key.assertion('bound', { iat: now(), exp: now() + 60 }), {
          resource: listed,
        });
        return (await fixture.server.post('/token', form)).body.access_token as string;
      };
      const replaced = await byAssertion(old);
      await fixture.server.admin('PATCH', 'clients/bound', { jwks: { keys: [next.jwk] } });
      const leaked = await byAssertion(next);
      await fixture.server.admin('DELETE', `keys/${next.jkt}/tokens`);
      later();
      expect([
        await stateOf(replaced),
        await stateOf(leaked),
        await stateOf(await byAssertion(next)),
      ]).toEqual(['invalid', 'invalid', 'valid']);
    });

    it('§8: cacheable with an entity tag, compressed for who takes it, refused to who cannot read it', async () => {
      const reference = referenceOf(await token());
      const get = async (headers: Record<string, string>) =>
        fetch(`${replica.url}${pathOf(reference)}`, { headers });
      const plain = await get({ 'accept-encoding': 'identity' });
      const etag = plain.headers.get('etag') ?? '';
      const { iat, exp, ttl } = decodeJwt<{ ttl: number }>(await plain.text());
      const maxAge = Number(
        /^public, max-age=(\d+)$/.exec(plain.headers.get('cache-control') ?? '')?.[1],
      );
      expect([exp, ttl]).toEqual([(iat ?? 0) + 120, 60]);
      // However long a cache keeps it, the verifier behind it sees nothing older than two minutes.
      expect(now() - (iat ?? 0) + maxAge + ttl).toBeLessThanOrEqual(120);
      for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const again = await get({ 'accept-encoding': 'identity', 'if-none-match': known });
        expect([known, again.status]).toEqual([known, 304]);
      }
      const zipped = await get({ 'accept-encoding': 'gzip' });
      expect([zipped.headers.get('content-encoding'), zipped.headers.get('etag') === etag]).toEqual(
        ['gzip', false],
      );
      for (const none of ['', 'gzip;q=0, *', 'gzip;q=0', 'gzip;q=0.1, identity', 'gzip;q=0.1, *'])
        expect((await get({ 'accept-encoding': none })).headers.get('content-encoding')).toBe(null);
      expect((await get({ accept: 'application/statuslist+cwt' })).status).toBe(406);
      expect((await get({ accept: 'text/html, */*;q=0.1' })).status).toBe(200);
      expect((await replica.get('/status-lists/AAAAAAAAAAAAAAAAAAAAAA')).status).toBe(404);
      expect((await replica.get('/status-lists/x')).status).toBe(404);
      expect((await replica.post(pathOf(reference), {})).status).toBe(405);
    });

    it('many requests between two looks get one and the same signed list', async () => {
      const reference = referenceOf(await token());
      later();
      const bodies = await Promise.all(
        Array.from({ length: 40 }, async () =>
          (await fetch(`${replica.url}${pathOf(reference)}`)).text(),
        ),
      );
      expect(new Set(bodies).size).toBe(1);
    });

    it('a compromised signing key: every token that it signed, and the list is signed by its successor', async () => {
      const [one, two] = [await token(), await token('app', replica)];
      expect(await stateOf(one)).toBe('valid');
      const { body } = await fixture.server.admin('GET', 'signing-keys');
      const kid = (body.items as { kid: string; alg: string; state: string }[]).find(
        ({ alg, state }) => alg === 'ES256' && state === 'active',
      )?.kid;
      await fixture.server.admin('POST', `signing-keys/${kid}/revoke`);
      await replica.admin('GET', 'signing-keys');
      later();
      expect([
        await stateOf(one),
        await stateOf(two),
        await stateOf(await token('app', replica)),
      ]).toEqual(['invalid', 'invalid', 'valid']);
    });
  },
);

/** One for every kind of store: two certificates of one name would be taken for each other. */
let published: HttpsJwks;
beforeAll(async () => {
  published = await httpsJwks([]);
});
afterAll(async () => published.close());

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'what status lists show of keys, holders and pairings, on $name',
  (kind) => {
    let store: TestStore;
    let pair: Pair;
    let replica: TestServer;
    let first: TestKey;
    let second: TestKey;
    const clock = { now: startOfTime };
    const options = {
      ...env,
      CLEANUP_INTERVAL: '1',
      JWKS_URI_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
    beforeAll(async () => {
      [first, second] = [await testKey(), await testKey()];
      published.keys.current = [{ ...first.jwk, kid: 'first' }];
      store = await kind.make();
      pair = await openPair({ store, clock, env: options });
      const { items } = (await pair.server.admin('GET', 'resource-servers')).body;
      for (const { id } of items)
        await pair.server.admin('PATCH', `resource-servers/${id}`, {
          status_list_enabled: true,
          access_token_lifetime: 3600,
        });
      const bound = {
        token_endpoint_auth_method: 'private_key_jwt',
        client_assertion_bound_access_tokens: true,
        scope: 'read',
      };
      await pair.server.admin('POST', 'clients', {
        client_id: 'remote',
        ...bound,
        jwks_uri: published.uri,
      });
      await pair.server.admin('POST', 'clients', {
        client_id: 'local',
        ...bound,
        jwks: { keys: [first.jwk] },
      });
      replica = await testServer({ store, clock, env: options });
    });
    afterAll(async () => {
      await replica.stop();
      await pair.server.stop();
      await store.remove();
    });
    const now = () => Math.floor(clock.now / 1000);
    const states = async (...tokens: readonly string[]) => {
      clock.now += 6000;
      return Promise.all(tokens.map(async (token) => stateAt(replica, token)));
    };
    const issue = async (
      client: string,
      key: TestKey,
      kid: string | undefined,
      server = pair.server,
    ) => {
      const form = assertionForm(
        await key.assertion(
          client,
          { iat: now(), exp: now() + 60 },
          kid === undefined ? {} : { kid },
        ),
        { resource: unaware },
      );
      return (await server.post('/token', form)).body.access_token as string;
    };
    const introspect = async (token: string, server = replica, recipient = 'unaware-rs') =>
      (await server.post('/introspect', { token }, { authorization: basic(recipient, pairSecret) }))
        .body;
    const ofApp = async () =>
      (await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined } })).body
        .access_token as string;
    /** Rounds of jobRunner, the clock a minute further after each, until the list says so, or enough of them to be sure that it does not. */
    const afterRounds = async (token: string, rounds = 12) => {
      for (let round = 0; round < rounds; round++) {
        clock.now += 61_000;
        await sleep(1200);
        if ((await states(token))[0] === 'invalid') return 'invalid';
      }
      return 'valid';
    };

    it('a key that comes to a jwks_uri: active and valid on a replica whose copy is older', {
      timeout: 60_000,
    }, async () => {
      for (const server of [pair.server, replica]) await issue('remote', first, 'first', server);
      published.keys.current = [...published.keys.current, { ...second.jwk, kid: 'second' }];
      clock.now += 61_000;
      const token = await issue('remote', second, 'second');
      expect((await introspect(token)).active).toBe(true);
      expect(await afterRounds(token, 3)).toBe('valid');
    });

    it('a key that disappears from a jwks_uri: its tokens and no others, also when it comes back; a key set that cannot be read takes nothing away', {
      timeout: 90_000,
    }, async () => {
      const [gone, stays] = [
        await issue('remote', first, 'first'),
        await issue('remote', second, 'second'),
      ];
      published.broken = true;
      expect(await afterRounds(gone, 3)).toBe('valid');
      published.broken = false;
      published.keys.current = [{ ...second.jwk, kid: 'second' }];
      clock.now += 600_000;
      expect(await afterRounds(gone)).toBe('invalid');
      expect([
        ...(await states(stays)),
        (await introspect(gone)).active,
        (await introspect(stays)).active,
      ]).toEqual(['valid', false, true]);
      published.keys.current = [{ ...first.jwk, kid: 'first' }, ...published.keys.current];
      clock.now += 700_000;
      expect([...(await states(gone, stays)), (await introspect(gone)).active]).toEqual([
        'invalid',
        'valid',
        false,
      ]);
      const events = await pair.server.admin('GET', 'audit-events?type=key_tokens_revoked');
      expect(events.body.items).toMatchObject([
        { actor: 'server', client_id: 'remote', jkt: first.jkt },
      ]);
    });

    it('a registered key that was replaced by a process that died before it revoked', {
      timeout: 60_000,
    }, async () => {
      const token = await issue('local', first, undefined);
      expect(await states(token)).toEqual(['valid']);
      const metadata = `replace(metadata, '${first.jwk.x}', '${second.jwk.x}'), updated_at = ${clock.now}`;
      const both = metadata.replace(
        'replace(metadata,',
        `replace(replace(metadata, '${first.jwk.y}', '${second.jwk.y}'),`,
      );
      await executeScript(store, `update client set metadata = ${both} where client_id = 'local'`);
      expect((await introspect(token)).active).toBe(false);
      expect(await afterRounds(token)).toBe('invalid');
    });

    it('a holder that withdraws leaves a token that is valid for the requester', async () => {
      const shared = (await pair.ask()).body.access_token as string;
      const client_assertion = await pair.backendKey.assertion('backend', {
        iat: now(),
        exp: now() + 60,
      });
      expect(
        (await pair.server.post('/revoke', { token: shared, ...assertionForm(client_assertion) }))
          .status,
      ).toBe(200);
      expect(await states(shared)).toEqual(['valid']);
      const heard = await introspect(shared, replica, 'aware-rs');
      expect([heard.active, heard.alt_cnf, heard.aud]).toEqual([true, undefined, aware]);
    });

    it('a revoked pairing: what was exchanged under it; what was shared is valid for the requester', async () => {
      const [subject, shared] = [await ofApp(), (await pair.ask()).body.access_token as string];
      const exchanged = (await pair.backendExchanges(subject)).body.access_token as string;
      expect(await states(subject, exchanged)).toEqual(['valid', 'valid']);
      await pair.server.admin('POST', `pairings/${pair.pairing}/revoke`);
      expect(await states(subject, exchanged, shared)).toEqual(['valid', 'invalid', 'valid']);
      expect((await introspect(shared, replica, 'aware-rs')).alt_cnf).toBeUndefined();
    });

    it('a pairing that was revoked by a process that died before it revoked what was exchanged: from the first look of another', async () => {
      const { body } = await pair.server.admin('POST', 'pairings', {
        requester: 'app',
        holder: 'backend',
      });
      clock.now += 1000;
      const exchanged = (await pair.backendExchanges(await ofApp())).body.access_token as string;
      clock.now += 1_200_000;
      await executeScript(
        store,
        `update pairing set revoked_at = ${clock.now} where id = '${body.id}'`,
      );
      const restarted = await testServer({ store, clock, env: options });
      expect(await stateAt(restarted, exchanged)).toBe('invalid');
      await restarted.stop();
    });

    it('a client is deleted together with its tokens, or not at all', async () => {
      await pair.server.admin('POST', 'clients', {
        client_id: 'brief',
        client_secret: pairSecret,
        scope: 'read',
      });
      const dpop = await pair.appKey.proof({ iat: now() });
      const form = { grant_type: 'client_credentials', resource: unaware };
      const token = (
        await pair.server.post('/token', form, { authorization: basic('brief', pairSecret), dpop })
      ).body.access_token as string;
      await executeScript(store, 'alter table revoked_token rename to away');
      expect((await pair.server.admin('DELETE', 'clients/brief')).status).toBe(503);
      expect((await pair.server.admin('GET', 'clients/brief')).status).toBe(200);
      await executeScript(store, 'alter table away rename to revoked_token');
      expect(
        (await pair.server.admin('DELETE', 'clients/brief', undefined, { 'if-match': '"7"' }))
          .status,
      ).toBe(412);
      expect(await states(token)).toEqual(['valid']);
      expect((await pair.server.admin('DELETE', 'clients/brief')).status).toBe(204);
      expect((await pair.server.admin('DELETE', 'clients/brief')).status).toBe(404);
      expect(await states(token)).toEqual(['invalid']);
    });
  },
);
