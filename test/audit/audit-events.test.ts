import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEventChapters } from '../../src/domain/audit-event-types.ts';
import { testKey } from '../support/keys.ts';
import { openPair, type Pair, pairSecret, unaware } from '../support/pair.ts';
import { adminToken, basic, startOfTime, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

interface Event {
  readonly id: string;
  readonly at: string;
  readonly type: string;
  readonly [member: string]: unknown;
}

const other = 'another-secret-that-nobody-may-read-anywhere';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'the audit trail on $name',
  (kind) => {
    let store: TestStore;
    let pair: Pair;
    /** What no entry may contain. */
    const secrets: string[] = [pairSecret, other, adminToken];
    beforeAll(async () => {
      store = await kind.make();
      pair = await openPair({
        store,
        clock: { now: startOfTime },
        env: {
          CLEANUP_INTERVAL: '1',
          AUDIT_RETENTION: '604800',
          DPOP_NONCE_SECRET_ROTATION_INTERVAL: '999999999',
        },
      });
    });
    afterAll(async () => {
      await pair.server.stop();
      await store.remove();
    });
    const admin = async (method: string, path: string, body?: unknown) =>
      pair.server.admin(method, path, body);
    const events = async (query: Readonly<Record<string, string>> = {}) => {
      const { status, body } = await admin(
        'GET',
        `audit-events?${new URLSearchParams({ limit: '200', ...query })}`,
      );
      expect(status).toBe(200);
      return body.items as readonly Event[];
    };
    const now = () => new Date(pair.server.clock.now).toISOString();
    /** What happens from here on is later than everything before. */
    const later = () => {
      pair.server.clock.now += 1000;
      return now();
    };
    /** Entries since then, once there are as many: a refusal is recorded after it is answered. */
    const since = async (time: string, type: string): Promise<readonly Event[]> => {
      for (let tries = 0; tries < 200; tries++) {
        const found = await events({ since: time, type });
        if (found.length > 0) return found;
        await sleep(20);
      }
      return [];
    };
    const ofApp = async (form: Record<string, string | undefined> = {}) => {
      const answer = await pair.ask({
        form: { resource: unaware, req_alt_cnf: undefined, ...form },
      });
      if (answer.status === 200) secrets.push(answer.body.access_token as string);
      return answer.body.access_token as string;
    };
    const revoke = async (token: string, client = 'app') =>
      pair.server.post('/revoke', { token }, { authorization: basic(client, pairSecret) });
    const jti = (token: string) => String(decodeJwt(token).jti);
    /** What `?jkt=` finds of a token that was proven by DPoP. */
    const keyOf = (token: string) => ({
      jkt: decodeJwt<{ cnf: { jkt: string } }>(token).cnf.jkt,
      evidence: 'dpop_proof',
    });

    // biome-ignore format: a row is a thing that happens.
    it.each<[string, string, () => Promise<object>]>([
    ['an issuance', 'token_issued', async () => {
      const token = await ofApp();
      return { id: jti(token), jti: jti(token), actor: 'client:app', client_id: 'app', audience: unaware, jkt: pair.appKey.jkt, evidence: 'dpop_proof', token_expires_at: decodeJwt(token).exp };
    }],
    ['an issuance by assertion', 'token_issued', async () => {
      const token = (await pair.backendSignsIn()).body.access_token as string;
      return { jti: jti(token), actor: 'client:backend', jkt: pair.backendKey.jkt };
    }],
    ['an issuance for several holders', 'token_issued', async () => {
      const { body } = await pair.ask();
      const holders = [{ client_id: 'backend', jkt: pair.backendKey.jkt, evidence: 'cnf_proof', pairing: pair.pairing }];
      return { jti: jti(body.access_token), client_id: 'app', jkt: pair.appKey.jkt, detail: { holders } };
    }],
    ['an exchange', 'token_issued', async () => {
      const subject = await ofApp();
      later();
      const { body } = await pair.backendExchanges(subject);
      return { jti: jti(body.access_token), client_id: 'backend', jkt: pair.backendKey.jkt, detail: { pairings: [pair.pairing] } };
    }],
    ['a refusal', 'token_refused', async () => {
      await ofApp({ scope: 'admin' });
      return { actor: 'client:app', client_id: 'app', reason: 'scope_not_allowed' };
    }],
    ['a replayed proof', 'token_refused', async () => {
      const dpop = await pair.appKey.proof({ iat: Math.floor(pair.server.clock.now / 1000) });
      secrets.push(dpop);
      for (let times = 0; times < 2; times++) await pair.ask({ dpop, form: { resource: unaware, req_alt_cnf: undefined } });
      return { actor: 'client:app', reason: 'proof_replayed', jkt: pair.appKey.jkt, evidence: 'dpop_proof' };
    }],
    ['a proof by another key than is asked for', 'token_refused', async () => {
      const req_cnf = Buffer.from(JSON.stringify({ jkt: pair.backendKey.jkt })).toString('base64url');
      await pair.ask({ form: { resource: unaware, req_alt_cnf: undefined, req_cnf } });
      return { actor: 'client:app', reason: 'req_cnf_not_proven', jkt: pair.appKey.jkt, evidence: 'dpop_proof' };
    }],
    ['a refusal of a client that authenticated by assertion', 'token_refused', async () => {
      const seconds = Math.floor(pair.server.clock.now / 1000);
      const client_assertion = await pair.backendKey.assertion('backend', { iat: seconds, exp: seconds + 60 });
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      secrets.push(client_assertion);
      await pair.server.post('/token', { grant_type: 'client_credentials', scope: 'admin', client_assertion, client_assertion_type });
      return { actor: 'client:backend', jkt: pair.backendKey.jkt, evidence: 'client_assertion' };
    }],
    ['a refused introspection', 'refusals_sampled', async () => {
      for (let times = 0; times < 3; times++) await pair.server.post('/introspect', {}, { authorization: basic('unaware-rs', pairSecret) });
      return { actor: 'server', detail: { token_missing: expect.any(Number), samples: { token_missing: ['unaware-rs'] } } };
    }],
    ['a refusal of strangers', 'refusals_sampled', async () => {
      const dpop = await pair.appKey.proof();
      await pair.server.post('/token', { grant_type: 'client_credentials' }, { authorization: basic('app', other), dpop });
      return { actor: 'server', detail: { client_secret_mismatch: 1, samples: { client_secret_mismatch: ['app'] } } };
    }],
    ['a revocation by the client', 'token_revoked', async () => {
      const token = await ofApp();
      await revoke(token);
      return { actor: 'client:app', client_id: 'app', jti: jti(token), audience: unaware, ...keyOf(token) };
    }],
    ['a withdrawal by a holder', 'token_revoked', async () => {
      const { body } = await pair.ask();
      const seconds = Math.floor(pair.server.clock.now / 1000);
      const client_assertion = await pair.backendKey.assertion('backend', { iat: seconds, exp: seconds + 60 });
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      secrets.push(client_assertion);
      await pair.server.post('/revoke', { token: body.access_token, client_assertion, client_assertion_type });
      return { actor: 'client:backend', client_id: 'backend', jti: jti(body.access_token), detail: { withdrawn_holder: 'backend' } };
    }],
    ["a refused revocation of another client's token", 'revocation_refused', async () => {
      await revoke(await ofApp(), 'thief');
      return { actor: 'client:thief', client_id: 'thief', reason: 'token_of_another_client' };
    }],
    ['a revocation by the operator', 'token_revoked', async () => {
      const token = await ofApp();
      await admin('DELETE', `tokens/${jti(token)}`);
      return { actor: 'admin:bootstrap', client_id: 'app', jti: jti(token), ...keyOf(token) };
    }],
    ['a revocation of the tokens of a client', 'client_tokens_revoked', async () => {
      await ofApp();
      await admin('DELETE', 'clients/app/tokens');
      return { actor: 'admin:bootstrap', client_id: 'app', detail: { revoked: expect.any(Number) } };
    }],
    ['a revocation by key', 'key_tokens_revoked', async () => {
      await ofApp();
      await admin('DELETE', `keys/${pair.appKey.jkt}/tokens`);
      return { actor: 'admin:bootstrap', jkt: pair.appKey.jkt, detail: { revoked: 1 } };
    }],
    ['a registration', 'client_created', async () => {
      const key = await testKey();
      await admin('POST', 'clients', { client_id: 'new', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } });
      return { actor: 'admin:bootstrap', client_id: 'new', detail: { keys_added: [key.jkt] } };
    }],
    ['a key that is replaced', 'client_changed', async () => {
      const [key, next] = [await testKey(), await testKey()];
      await admin('PATCH', 'clients/new', { jwks: { keys: [key.jwk] } });
      later();
      await admin('PATCH', 'clients/new', { jwks: { keys: [next.jwk] }, client_name: 'renamed' });
      const members = expect.arrayContaining(['client_name', 'jwks']);
      return { actor: 'admin:bootstrap', client_id: 'new', detail: { members, keys_added: [next.jkt], keys_removed: [key.jkt] } };
    }],
    ['a client that is deleted', 'client_deleted', async () => {
      await admin('DELETE', 'clients/new');
      return { actor: 'admin:bootstrap', client_id: 'new' };
    }],
    ['a secret that is added', 'client_secret_created', async () => {
      const { body } = await admin('POST', 'clients/thief/secrets', { client_secret: other });
      return { actor: 'admin:bootstrap', client_id: 'thief', detail: { secret: body.id } };
    }],
    ['a secret that is replaced', 'client_changed', async () => {
      await admin('PATCH', 'clients/thief', { client_secret: pairSecret });
      return { actor: 'admin:bootstrap', client_id: 'thief', detail: { members: ['client_secret'] } };
    }],
    ['a resource server', 'resource_server_created', async () => {
      const { body } = await admin('POST', 'resource-servers', { audience: 'urn:example:new' });
      secrets.push(body.client_secret as string);
      return { actor: 'admin:bootstrap', audience: 'urn:example:new', detail: { id: body.id } };
    }],
    ['a resource server that changes', 'resource_server_changed', async () => {
      const { body } = await admin('POST', 'resource-servers', { audience: 'urn:example:changing' });
      const { body: changed } = await admin('PATCH', `resource-servers/${body.id}`, { name: 'renamed', client_secret: other });
      secrets.push(body.client_secret as string, String(changed.client_secret ?? other));
      return { actor: 'admin:bootstrap', audience: 'urn:example:changing', detail: { id: body.id, members: expect.arrayContaining(['name', 'client_secret']) } };
    }],
    ['a pairing', 'pairing_created', async () => {
      const { body } = await admin('POST', 'pairings', { requester: 'thief', holder: 'backend' });
      return { actor: 'admin:bootstrap', client_id: 'thief', detail: { id: body.id, holder: 'backend' } };
    }],
    ['a pairing that is revoked', 'pairing_revoked', async () => {
      const { items } = (await admin('GET', 'pairings?requester=thief')).body;
      await admin('POST', `pairings/${items[0].id}/revoke`);
      return { actor: 'admin:bootstrap', client_id: 'thief', detail: { id: items[0].id, holder: 'backend' } };
    }],
    ['a trusted issuer', 'trusted_issuer_created', async () => {
      const { body } = await admin('POST', 'trusted-issuers', { issuer: 'https://op.example.com', audience: 'x', jwks_uri: 'https://op.example.com/jwks' });
      return { actor: 'admin:bootstrap', detail: { id: body.id, issuer: 'https://op.example.com' } };
    }],
    ['a rotation by hand', 'signing_key_announced', async () => {
      const { body } = await admin('POST', 'signing-keys/rotate', { alg: 'ES256' });
      return { actor: 'admin:bootstrap', detail: { kid: body.kid, alg: 'ES256', active_at: expect.any(Number) } };
    }],
    ['a rotation that is brought forward', 'signing_key_announced', async () => {
      const { body } = await admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
      return { actor: 'admin:bootstrap', detail: { kid: body.kid, active_at: pair.server.clock.now } };
    }],
    ['a compromised signing key', 'signing_key_revoked', async () => {
      const { items } = (await admin('GET', 'signing-keys')).body;
      const { kid } = items.find(({ state }: { state: string }) => state === 'retired');
      await admin('POST', `signing-keys/${kid}/revoke`);
      return { actor: 'admin:bootstrap', detail: { kid } };
    }],
  ])('%s: who, what, which key, by which evidence, why', async (_, type, act) => {
    const time = later();
    const expected = await act();
    const found = await since(time, type);
    expect(found.at(-1)).toMatchObject({ type, at: now(), ...expected });
  });

    it('has no type and no member that docs/reference/audit-events.md lacks', async () => {
      const types: Readonly<Record<string, { readonly has: readonly string[] }>> = Object.assign(
        {},
        ...Object.values(auditEventChapters),
      );
      const undocumented = (await events()).flatMap(({ id: _, at: __, actor: ___, ...event }) =>
        Object.keys(event)
          .filter((member) => member !== 'type' && types[event.type]?.has.includes(member) !== true)
          .map((member) => `${event.type} ${member}`),
      );
      expect([...new Set(undocumented)]).toEqual([]);
    });
    it('nothing secret is in any entry, nor anything that could be used again', async () => {
      const text = await stored(store);
      expect(text).toContain('token_issued');
      for (const secret of secrets)
        for (const part of [secret, secret.split('.').at(-1) ?? secret])
          expect(text).not.toContain(part);
      expect(text).not.toMatch(/(?<![\w-])eyJ|"d\\*":|"k\\*":|hash\\*"/);
    });

    it.each<[string, (event: Event) => boolean]>([
      ['type=token_issued', ({ type }) => type === 'token_issued'],
      ['client_id=backend', ({ client_id }) => client_id === 'backend'],
      ['jkt={jkt}', ({ jkt }) => jkt === pair.appKey.jkt],
      ['jti={jti}', (event) => event['jti'] === issuedJti],
      ['since={middle}', ({ at }) => at >= middle],
      ['until={middle}', ({ at }) => at < middle],
      [
        'since={middle}&type=token_issued&client_id=app',
        (event) =>
          event.at >= middle && event.type === 'token_issued' && event['client_id'] === 'app',
      ],
      ['client_id=nobody', () => false],
    ])('GET /admin/audit-events?%s', async (query, wanted) => {
      const all = await everything();
      middle = all[Math.floor(all.length / 2)]?.at ?? '';
      issuedJti = String(all.find(({ type }) => type === 'token_issued')?.['jti']);
      const filled = query
        .replace('{jkt}', pair.appKey.jkt)
        .replace('{jti}', issuedJti)
        .replace('{middle}', encodeURIComponent(middle));
      const found = await everything(`&${filled}`);
      expect(found).toEqual(all.filter(wanted));
      expect([found.length > 0, found.length < all.length]).toEqual([
        !query.includes('nobody'),
        true,
      ]);
    });
    let middle = '';
    let issuedJti = '';
    /** All pages, `step` after each. */
    const everything = async (
      filters = '',
      limit = 7,
      step = async () => undefined as unknown,
    ): Promise<readonly Event[]> => {
      const found: Event[] = [];
      for (let cursor = ''; ; ) {
        const { body } = await admin('GET', `audit-events?limit=${limit}${filters}${cursor}`);
        expect(body.items.length).toBeLessThanOrEqual(limit);
        found.push(...(body.items as Event[]));
        if (body.next_cursor === null) return found;
        expect(body.items).toHaveLength(limit);
        cursor = `&cursor=${body.next_cursor}`;
        await step();
      }
    };

    it('pages give every entry once and in order, also while new ones are written', async () => {
      const before = await everything();
      let rounds = 0;
      const written: string[] = [];
      const found = await everything('', 7, async () => {
        if (rounds++ >= 5) return;
        later();
        written.push(
          ...(await Promise.all(Array.from({ length: 5 }, async () => jti(await ofApp())))),
        );
      });
      const ids = found.map(({ id }) => id);
      expect(written).toHaveLength(25);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual([...ids].sort());
      expect(found.map(({ at }) => at)).toEqual(found.map(({ at }) => at).sort());
      expect(ids.filter((id) => !written.includes(id))).toEqual(before.map(({ id }) => id));
      expect(new Set(ids)).toEqual(new Set([...before.map(({ id }) => id), ...written]));
    });

    it.each(['audit-events', 'clients', 'resource-servers', 'pairings', 'trusted-issuers'])(
      'GET /admin/%s refuses a bad limit and a bad cursor',
      async (path) => {
        const faults = {
          limit: ['0', '-1', 'x', '1e2', '', '1&limit=2'],
          cursor: ['', '*', 'AAAA', 'x'.repeat(513)],
        };
        for (const [member, values] of Object.entries(faults))
          for (const value of values) {
            const answer = await admin('GET', `${path}?${member}=${value}`);
            expect([
              value,
              answer.status,
              answer.headers.get('content-type'),
              answer.body.member,
            ]).toEqual([value, 400, 'application/problem+json; charset=utf-8', member]);
          }
      },
    );
    it.each([
      'since=yesterday',
      'since=5',
      'since=2026-02-30T00:00:00Z',
      'since=2026-13-01T00:00:00Z',
      'until=1790000000',
      'jkt=',
      'type=a&type=b',
      'actor=admin',
    ])('GET /admin/audit-events?%s is refused', async (query) => {
      const answer = await admin('GET', `audit-events?${query}`);
      expect([answer.status, answer.body.member]).toEqual([400, query.split('=')[0]]);
    });

    it.each(['application/jsonl', 'application/x-ndjson'])(
      '%s: the same entries, one a line, page by page',
      async (accept) => {
        const lines: Event[] = [];
        for (let cursor = ''; ; ) {
          const { headers, body } = await pair.server.admin(
            'GET',
            `audit-events?limit=20${cursor}`,
            undefined,
            { accept },
          );
          expect(headers.get('content-type')).toMatch(/^application\/jsonl/);
          const text = body as string;
          expect(text.endsWith('\n')).toBe(true);
          lines.push(
            ...text
              .trimEnd()
              .split('\n')
              .map((line) => JSON.parse(line) as Event),
          );
          const next = headers.get('x-next-cursor');
          if (next === null) break;
          cursor = `&cursor=${next}`;
        }
        expect(lines).toEqual(await everything());
      },
    );

    it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
      'append-only: %s changes nothing',
      async (method) => {
        const [first] = await events({ limit: '1' });
        const before = await stored(store);
        for (const path of ['audit-events', `audit-events/${first?.id}`])
          expect([404, 405]).toContain((await admin(method, path, {})).status);
        expect(await stored(store)).toBe(before);
      },
    );

    it('AUDIT_RETENTION: entries go when they are so old, and not before', async () => {
      pair.server.clock.now += 86_400_000;
      const young = await ofApp();
      const before = (await everything()).length;
      pair.server.clock.now += 604_800_000 - 86_400_000 / 2;
      for (let tries = 0; tries < 200 && (await everything()).length > 1; tries++) await sleep(50);
      expect(before).toBeGreaterThan(30);
      expect((await everything()).map(({ id }) => id)).toEqual([jti(young)]);
    });

    it('a stranger cannot grow it: hundreds of refusals of every kind, at every endpoint, are one entry a round', async () => {
      const stranger = await testKey();
      const before = await everything();
      // The only round is the one at the end.
      const server = await testServer({
        store,
        clock: pair.server.clock,
        env: { CLEANUP_INTERVAL: '3600', DPOP_NONCE_SECRET_ROTATION_INTERVAL: '999999999' },
      });
      const assertion = async () =>
        (await stranger.assertion('backend', {
          iat: Math.floor(server.clock.now / 1000),
        })) as string;
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      let refused = 0;
      const refuse = async (path: string, form: Record<string, string>, authorization?: string) => {
        const { status } = await server.post(
          path,
          { grant_type: 'client_credentials', token: 'x', ...form },
          authorization ? { authorization } : {},
        );
        expect([400, 401]).toContain(status);
        refused++;
      };
      for (const path of ['/token', '/revoke', '/introspect'])
        for (let index = 0; index < 20; index++) {
          await refuse(path, {}, basic('app', `${other}${index}`));
          await refuse(path, {}, basic(`stranger-${index}-${other}`, pairSecret));
          await refuse(path, { client_id: 'app' });
          await refuse(path, { client_id: 'app', client_secret: other });
          await refuse(path, { client_assertion: await assertion(), client_assertion_type: type });
          await refuse(path, { client_id: 'app', client_secret: other }, basic('app', other));
        }
      await server.stop();
      const ids = new Set(before.map(({ id }) => id));
      const added = (await everything()).filter(({ id }) => !ids.has(id));
      expect(added).toMatchObject([{ type: 'refusals_sampled', actor: 'server' }]);
      const { samples, ...counts } = (added[0]?.['detail'] ?? {}) as {
        samples: Record<string, string[]>;
      } & Record<string, number>;
      expect([refused, Object.values(counts).reduce((sum, count) => sum + count, 0)]).toEqual([
        360, 360,
      ]);
      expect(samples['client_secret_mismatch']).toEqual(['app']);
      expect(JSON.stringify(added)).not.toMatch(new RegExp(`${other}|stranger`));
    });

    it('one client assertion, shown again and again by whoever has it, leaves few records: the others are counted', async () => {
      const iat = Math.floor(pair.server.clock.now / 1000);
      const form = {
        client_assertion: await pair.backendKey.assertion('backend', { iat, exp: iat + 60 }),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      };
      const ids = new Set((await everything()).map(({ id }) => id));
      const ask = async (path: string, more: Record<string, string>) =>
        (await pair.server.post(path, { ...form, ...more })).status;
      expect(await ask('/revoke', { token: 'x' })).toBe(200);
      for (let index = 0; index < 10; index++) {
        expect(await ask('/revoke', { token: 'x' })).toBe(401);
        expect(await ask('/token', { grant_type: 'zz' })).toBe(400);
      }
      const added = (await everything()).filter(
        ({ id, type }) => !ids.has(id) && type !== 'refusals_sampled',
      );
      expect(
        added
          .map(({ type, reason }) => [type, reason])
          .every(([type, reason]) => type === 'token_refused' && reason !== 'assertion_replayed'),
      ).toBe(true);
      expect([1, 2, 3]).toContain(added.length);
    });
  },
);

/** The whole table as the database has it. */
async function stored(store: TestStore): Promise<string> {
  return JSON.stringify(await execute(store, 'select * from audit_event order by id'));
}
