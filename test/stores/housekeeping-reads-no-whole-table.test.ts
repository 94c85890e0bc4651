import type { SqlQuery } from '@prisma/driver-adapter-utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapterFor, databaseKind } from '../../src/store/adapters.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { sqlBoundKeys } from '../../src/store/sql-bound-keys.ts';
import { sqlExpired } from '../../src/store/sql-expired.ts';
import { onPostgresqlServer, onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const now = 1_800_000_000;

// With millions of clients or records a look at each of them every ten seconds would stop the service.
describe.each([onSqlite, onPostgresqlServer].filter((kind) => storeKinds.includes(kind)))('housekeeping on $name', ({ make }) => {
  let store: TestStore;
  let database: Database;
  let plan: (query: SqlQuery) => Promise<string>;
  const heard: SqlQuery[] = [];
  const url = () => store.env['DATABASE_URL'] ?? '';

  beforeAll(async () => {
    store = await make();
    await (await openDatabase(url(), () => undefined)).$disconnect();
    const factory = await adapterFor(url(), () => undefined);
    const connection = await (await adapterFor(url(), () => undefined)).connect();
    const kind = databaseKind(url());
    // Of an empty table PostgreSQL reads all, index or not, unless it is told.
    if (kind === 'postgresql') await connection.executeScript('set enable_seqscan = off');
    plan = async ({ sql, args, argTypes }) => {
      const { rows } = await connection.queryRaw({ sql: `explain ${kind === 'sqlite' ? 'query plan' : ''} ${sql}`, args, argTypes });
      return rows.map((row) => row.join(' ')).join('\n');
    };
    const connect = factory.connect.bind(factory);
    const listening = Object.assign(factory, {
      async connect() {
        const adapter = await connect();
        const hears =
          <T>(run: (query: SqlQuery) => T) =>
          (query: SqlQuery) => {
            heard.push(query);
            return run.call(adapter, query);
          };
        return Object.assign(adapter, { queryRaw: hears(adapter.queryRaw), executeRaw: hears(adapter.executeRaw) });
      },
    });
    const { PrismaClient } = await import(`../../prisma/generated/${kind}/client.ts`);
    database = new PrismaClient({ adapter: listening }) as Database;
    await database.client.create({
      data: { clientId: 'app', metadata: '{"jwks_uri":"https://app.example.com/jwks"}', version: 1, createdAt: 0, updatedAt: now * 1000 },
    });
    heard.length = 0;
  });
  afterAll(async () => {
    await database.$disconnect();
    await store.remove();
  });

  const rounds: Readonly<Record<string, (kind: ReturnType<typeof databaseKind>) => Promise<unknown>>> = {
    'for keys that are registered no more': async (kind) => sqlBoundKeys(database, kind, 3600).since(now - 130, now),
    'for rows that have expired': async () => Promise.all(sqlExpired(database, 86_400).map(async ({ remove }) => remove(now))),
  };
  it.each(Object.entries(rounds))('a look %s goes by indexes', async (_what, look) => {
    heard.length = 0;
    await look(databaseKind(url()));
    expect(heard.length).toBeGreaterThan(2);
    for (const query of heard) expect(`${query.sql}\n${await plan(query)}`).not.toMatch(/\bSCAN (?!c USING INDEX client_jwks_uri_idx)|Seq Scan/);
  });
});
