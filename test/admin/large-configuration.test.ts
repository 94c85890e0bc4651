import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { openDatabase } from '../../src/store/connection/database.ts';
import { inTransaction } from '../../src/store/connection/transaction.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { onPostgresqlServer, onSqlite, type TestStore } from '../support/stores.ts';

const clients = Array.from({ length: 1500 }, (_, index) => ({
  client_id: `client-${index}`,
  token_endpoint_auth_method: 'private_key_jwt',
  jwks_uri: `https://client-${index}.example.com/jwks`,
}));

/** Turns of the event loop that others have while this is done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let [turns, isDone] = [0, false];
  const next = () => {
    turns += 1;
    if (!isDone) setImmediate(next);
  };
  setImmediate(next);
  await work();
  isDone = true;
  return turns;
}

describe('a configuration of many clients', () => {
  let store: TestStore;
  let server: TestServer;
  beforeAll(async () => {
    store = await onSqlite.make();
    server = await testServer({ store });
  });
  afterAll(async () => {
    await server.stop();
    await store.remove();
  });

  it.each(['?dry_run=true', ''])(
    'POST /admin/configuration%s: others are answered meanwhile',
    async (query) => {
      let answered = 0;
      let isDone = false;
      const applying = server.admin('POST', `configuration${query}`, { clients }).finally(() => {
        isDone = true;
      });
      while (!isDone) {
        const { status } = await fetch(`${server.url}/health/live`);
        if (status === 200) answered += 1;
      }
      expect((await applying).body.changes).toHaveLength(clients.length);
      // Some at its beginning and end, while it is sent and answered, are not enough.
      expect(answered).toBeGreaterThan(10);
    },
  );

  it('a transaction of many statements lets others go on, and is undone as a whole', async () => {
    const url = store.env['DATABASE_URL'] ?? '';
    const database = await openDatabase(url, () => undefined);
    const insert = (key: string) => ({
      sql: 'insert into replay_record (key, expires_at) values ($1, $2)',
      values: [key, 2_000_000_000],
    });
    // A fast machine would be done with fewer within a few turns.
    const many = Array.from({ length: 60_000 }, (_, index) => insert(`many-${index}`));
    const nothing = { sql: 'delete from replay_record where key = $1', values: ['nobody'] };
    const counted = async () =>
      database.replayRecord.count({ where: { key: { startsWith: 'many-' } } });
    expect(await inTransaction(url, database, [...many, nothing])).toBe(false);
    expect(await counted()).toBe(0);
    const turns = await turnsDuring(async () => inTransaction(url, database, many));
    expect(await counted()).toBe(many.length);
    expect(turns).toBeGreaterThan(5);
    await expect(inTransaction(url, database, [insert('many-1')])).rejects.toThrow(
      'database is unavailable',
    );
    expect(await inTransaction(url, database, [insert('after')])).toBe(true);
    await database.$disconnect();
  });
});

describe('somebody registers something again and again', () => {
  it('and a configuration of many clients is applied all the same', async () => {
    const server = await testServer();
    let made = 0;
    let isUnderWay = false;
    // Less often than a plan takes.
    const others = setInterval(() => {
      if (isUnderWay) return;
      isUnderWay = true;
      const body = { audience: `https://${made++}.example.com` };
      void server.admin('POST', 'resource-servers', body).finally(() => {
        isUnderWay = false;
      });
    }, 200);
    const { status, body } = await server.admin('POST', 'configuration', { clients });
    clearInterval(others);
    while (isUnderWay) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([status, body.detail]).toEqual([200, undefined]);
    await server.stop();
  });
});

describe.runIf(process.env['TEST_DATABASE_URL'] !== undefined)('on PostgreSQL', () => {
  it('one statement about the tokens of many clients may take longer than what others wait for', async () => {
    const store = await onPostgresqlServer.make();
    const server = await testServer({ store });
    const database = await openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined);
    try {
      const few = clients.slice(0, 2);
      expect((await server.admin('POST', 'configuration', { clients: few })).status).toBe(200);
      const id = timeOrderedId(server.clock.now - 60_000);
      const until = server.clock.now / 1000 + 3600;
      for (const sql of [
        `insert into audit_event (id, at, type, actor, client_id, token_expires_at) values ('${id}', ${server.clock.now}, 'token_issued', 'client:client-1', 'client-1', ${until})`,
        // A statement that finds 140,000 tokens takes as long.
        `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1.2); return new; end'`,
        'create trigger slow before insert on revoked_token for each row execute function slow()',
      ])
        await database.$executeRawUnsafe(sql);
      const { status, body } = await server.admin('POST', 'configuration?prune=true', {});
      expect([status, body.changes?.length]).toEqual([200, few.length]);
      expect(await database.revokedToken.count({ where: { jti: id } })).toBe(1);
    } finally {
      await database.$disconnect();
      await server.stop();
      await store.remove();
    }
  });
});
