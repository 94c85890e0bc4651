import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import pino from 'pino';
import { describe, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { timePrefix } from '../../src/domain/time-ordered-id.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { testKey } from '../support/keys.ts';
import { basic, startOfTime } from '../support/server.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  seconds,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** A row of each table that grows with use: what it is by its number, and until when it means something (seconds). */
const grows: Readonly<Record<string, (index: number, expiresAt: number) => string>> = {
  replay_record: (index, expiresAt) => `(key, expires_at) values ('k${index}', ${expiresAt})`,
  revoked_token: (index, expiresAt) => `(jti, expires_at) values ('t${index}', ${expiresAt})`,
  withdrawn_holder: (index, expiresAt) =>
    `(jti, client_id, expires_at) values ('t${index}', 'holder', ${expiresAt})`,
  token_status_list: (index, expiresAt) =>
    `(id, resource_server_id, kid, next_index, expires_at) values ('l${index}', 'of-nobody-${index}', 'k', 0, ${expiresAt})`,
  audit_event: (index, expiresAt) =>
    `(id, at, type, actor) values ('${timePrefix((expiresAt - auditRetention) * 1000)}${String(index).padStart(5, '0')}', ${(expiresAt - auditRetention) * 1000}, 'token_refused', 'server')`,
};
const auditRetention = 604_800;

/** Another program's session on the database. */
async function sql<T>(
  { env }: TestStore,
  use: (connection: Awaited<ReturnType<PrismaPg['connect']>>) => Promise<T>,
): Promise<T> {
  const url = env['DATABASE_URL'] ?? '';
  const connection = await (url.startsWith('file:')
    ? new PrismaLibSql({ url })
    : new PrismaPg({ connectionString: url })
  ).connect();
  try {
    return await use(connection as Awaited<ReturnType<PrismaPg['connect']>>);
  } finally {
    await connection.dispose();
  }
}

/** How many rows each table that grows with use has. */
async function rows(store: TestStore): Promise<Record<string, number>> {
  return sql(store, async (connection) => {
    const counts: Record<string, number> = {};
    for (const table of Object.keys(grows)) {
      const { rows: found } = await connection.queryRaw({
        sql: `select count(*) from ${table}`,
        args: [],
        argTypes: [],
      });
      counts[table] = Number(found[0]?.[0]);
    }
    return counts;
  });
}

/** Puts so many rows that end at this time into a table. */
async function fill(
  store: TestStore,
  table: string,
  count: number,
  expiresAt: number,
  first = 0,
): Promise<void> {
  const one = (index: number) => grows[table]?.(index, expiresAt).split(' values ') ?? [];
  const values = Array.from({ length: count }, (_, index) => one(first + index)[1]);
  await sql(store, async (connection) =>
    connection.executeRaw({
      sql: `insert into ${table} ${one(first)[0]} values ${values.join(', ')}`,
      args: [],
      argTypes: [],
    }),
  );
}

/** Waits for what a job does, which runs every second; gives up after ten. */
async function until(done: () => Promise<boolean> | boolean): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await done()) return true;
    await sleep(100);
  }
  return false;
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'housekeeping on $name',
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    test('empties every table of what means nothing any more, and counts refusals of strangers in one record', async ({
      expect,
    }) => {
      const store = await kind.make();
      const clock = { now: startOfTime };
      // No rotation within the days that pass: it would leave a new record.
      const rotation = { DPOP_NONCE_SECRET_ROTATION_INTERVAL: '999999999' };
      const fixture = await tokenEndpointFixture({
        store,
        clock,
        env: { CLEANUP_INTERVAL: '1', AUDIT_RETENTION: '604800', ...rotation },
      });
      const outcomes = await Promise.all(Array.from({ length: 30 }, async () => fixture.send()));
      const tokens = outcomes.map(
        ({ body }) => (JSON.parse(body) as { access_token: string }).access_token,
      );
      for (const token of tokens.slice(0, 5))
        await fixture.server.post(
          '/revoke',
          { token },
          { authorization: basic('app', clientSecret) },
        );
      for (let index = 0; index < 20; index++)
        await fixture.send({ authorization: basic('stranger', clientSecret) });
      await fixture.send({ form: { grant_type: 'client_credentials', scope: 'admin' } });
      const settled = async (done: (counts: Record<string, number>) => boolean) => {
        await until(async () => done(await rows(store)));
        return rows(store);
      };
      const sampled = async () =>
        (await fixture.server.admin('GET', 'audit-events?type=refusals_sampled')).body.items as {
          detail: { client_unknown: number };
        }[];
      // A round may fall between two of them.
      const counted = async () =>
        (await sampled()).reduce((sum, { detail }) => sum + detail.client_unknown, 0);
      await until(async () => (await counted()) >= 20);
      expect([
        await counted(),
        (await sampled()).every(({ detail }) => Object.keys(detail).join() === 'client_unknown'),
      ]).toEqual([20, true]);
      expect(
        (await fixture.server.admin('GET', 'audit-events?type=token_refused')).body.items,
      ).toMatchObject([{ client_id: 'app', reason: 'scope_not_allowed' }]);
      const before = await rows(store);
      expect([before['replay_record'], before['revoked_token']]).toEqual([30, 5]);

      clock.now += 3_600_000;
      const expired = await settled(
        (counts) => counts['replay_record'] === 0 && counts['revoked_token'] === 0,
      );
      expect([expired['replay_record'], expired['revoked_token'], expired['audit_event']]).toEqual([
        0,
        0,
        before['audit_event'],
      ]);
      clock.now += 8 * 86_400_000;
      expect((await settled((counts) => counts['audit_event'] === 0))['audit_event']).toBe(0);
      await fixture.server.stop();
      await store.remove();
    });

    test.for(Object.keys(grows))(
      '%s: the job runs, and takes what has ended and nothing else',
      async (table, { expect }) => {
        const store = await kind.make();
        const clock = { now: startOfTime };
        const fixture = await tokenEndpointFixture({
          store,
          clock,
          env: { CLEANUP_INTERVAL: '1', AUDIT_RETENTION: String(auditRetention) },
        });
        const before = (await rows(store))[table] ?? 0;
        await fill(store, table, 1200, seconds - 301);
        // Five minutes of margin for replicas whose clock is behind; audit records need none.
        await fill(store, table, 10, table === 'audit_event' ? seconds + 1 : seconds - 299, 2000);
        await fill(store, table, 10, seconds + 600, 3000);
        await until(async () => (await rows(store))[table] === before + 20);
        expect((await rows(store))[table]).toBe(before + 20);
        clock.now += 1_000_000;
        await until(async () => (await rows(store))[table] === before);
        expect((await rows(store))[table]).toBe(before);
        await fixture.server.stop();
        await store.remove();
      },
    );

    test('small batches: at most 500 rows a statement, and the job says when there may be more', async ({
      expect,
    }) => {
      const store = await kind.make();
      const config = readConfig({ ...store.env, AUDIT_RETENTION: String(auditRetention) });
      const stores = await openStores(config, {
        logger: pino({ level: 'silent' }),
        clock: () => startOfTime,
        databaseClock: () => startOfTime,
        peers: noPeers,
      });
      const jobs = stores.expired.filter(({ name }) => name in grows);
      expect(jobs.map(({ name }) => name).sort()).toEqual(Object.keys(grows).sort());
      for (const { name, remove } of jobs) {
        await fill(store, name, 1100, seconds - 1000);
        const steps: [boolean, number | undefined][] = [];
        for (let times = 0; times < 4; times++)
          steps.push([await remove(), (await rows(store))[name]]);
        expect([name, steps]).toEqual([
          name,
          [
            [true, 600],
            [true, 100],
            [false, 0],
            [false, 0],
          ],
        ]);
      }
      await stores.close();
      await store.remove();
    });

    test('one job that fails holds up no other, and is tried again', async ({ expect }) => {
      const store = await kind.make();
      const fixture = await tokenEndpointFixture({ store, env: { CLEANUP_INTERVAL: '1' } });
      await fill(store, 'revoked_token', 5, seconds - 400);
      await sql(store, async (connection) =>
        connection.executeScript('alter table replay_record rename to away'),
      );
      const gone = async (table: string) =>
        until(async () => {
          const { rows: found } = await sql(store, async (connection) =>
            connection.queryRaw({ sql: `select count(*) from ${table}`, args: [], argTypes: [] }),
          );
          return Number(found[0]?.[0]) === 0;
        });
      expect(await gone('revoked_token')).toBe(true);
      const failed = () => fixture.server.logs.some(({ job }) => job === 'replay_record');
      expect(await until(failed)).toBe(true);
      await sql(store, async (connection) =>
        connection.executeScript('alter table away rename to replay_record'),
      );
      await fill(store, 'replay_record', 5, seconds - 400);
      expect(await gone('replay_record')).toBe(true);
      await fixture.server.stop();
      await store.remove();
    });

    test('every table stays bounded under load, however long it lasts', {
      timeout: 90_000,
    }, async ({ expect }) => {
      const store = await kind.make();
      const clock = { now: startOfTime };
      const fixture = await tokenEndpointFixture({
        store,
        clock,
        env: { CLEANUP_INTERVAL: '1', AUDIT_RETENTION: String(auditRetention) },
      });
      const listed = 'https://listed.example.com';
      await fixture.server.admin('POST', 'resource-servers', {
        audience: listed,
        scopes: ['read'],
        status_list_enabled: true,
      });
      const perDay = 12;
      const most: Record<string, number> = {};
      let issued = 0;
      for (let day = 0; day < 10; day++) {
        const asked = async () => {
          const dpop = await fixture.key.proof({ iat: clock.now / 1000 });
          return fixture.send({
            dpop,
            form: { grant_type: 'client_credentials', resource: listed },
          });
        };
        const answers = await Promise.all(Array.from({ length: perDay }, asked));
        issued += answers.filter(({ status }) => status === 200).length;
        for (const { body } of answers.slice(0, 4)) {
          const { access_token: token } = JSON.parse(body) as { access_token: string };
          await fixture.server.post(
            '/revoke',
            { token },
            { authorization: basic('app', clientSecret) },
          );
        }
        const counts = await rows(store);
        for (const [table, count] of Object.entries(counts))
          most[table] = Math.max(most[table] ?? 0, count);
        clock.now += 86_400_000;
        const settled = async () => {
          const { replay_record: used, revoked_token: revoked } = await rows(store);
          return used === 0 && revoked === 0;
        };
        await until(settled);
      }
      expect(issued).toBe(10 * perDay);
      expect(most).toMatchObject({
        replay_record: perDay,
        revoked_token: 4,
        withdrawn_holder: 0,
        token_status_list: 1,
      });
      // Seven days, the one that begins and the one that is not swept yet; and what was registered.
      expect(most['audit_event']).toBeLessThanOrEqual(9 * (perDay + 4) + 20);
      await fixture.server.stop();
      await store.remove();
    });

    test('RFC 9449 §11.1: a proof or an assertion that is refused leaves nothing behind', async ({
      expect,
    }) => {
      const store = await kind.make();
      const fixture = await tokenEndpointFixture({ store });
      const other = await testKey();
      const outcomes = new Set<string>();
      for (let index = 0; index < 10; index++) {
        const assertion = async (claims: object, key = fixture.key) =>
          assertionForm(await key.assertion('signer', claims));
        for (const asked of [
          { dpop: await fixture.key.proof({}, { jwk: other.jwk }) },
          { dpop: await fixture.key.proof({ htm: 'GET' }) },
          { dpop: await fixture.key.proof({ iat: seconds - 600 }) },
          { authorization: basic('app', 'w'.repeat(32)) },
          { form: { grant_type: 'client_credentials', scope: 'admin' } },
          { authorization: null, form: await assertion({}, other) },
          { authorization: null, form: await assertion({ aud: 'https://other.example' }) },
        ])
          outcomes.add(await fixture.outcome(asked));
      }
      expect(outcomes).toEqual(
        new Set(['400 invalid_dpop_proof', '401 invalid_client', '400 invalid_scope']),
      );
      expect((await rows(store))['replay_record']).toBe(0);
      expect(await fixture.outcome()).toMatch(/^200 /);
      expect((await rows(store))['replay_record']).toBe(1);
      await fixture.server.stop();
      await store.remove();
    });
  },
);
