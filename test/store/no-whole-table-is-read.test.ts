import type { SqlQuery } from '@prisma/driver-adapter-utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKind } from '../../src/config/database-url.ts';
import { timePrefix } from '../../src/domain/time-ordered-id.ts';
import { adapterFor } from '../../src/store/connection/adapters.ts';
import { type Database, openDatabase } from '../../src/store/connection/database.ts';
import { statementOf } from '../../src/store/connection/transaction.ts';
import {
  revokeDerived,
  revokeDerivedFrom,
  revokeOfRemovedServers,
  revokeTokensOf,
  withdrawHolderKey,
} from '../../src/store/tables/revocation-steps.ts';
import { sqlAudit } from '../../src/store/tables/sql-audit.ts';
import { sqlBoundKeys } from '../../src/store/tables/sql-bound-keys.ts';
import { sqlExpired } from '../../src/store/tables/sql-expired.ts';
import { sqlRegistrationCounts } from '../../src/store/tables/sql-registration-counts.ts';
import { onPostgresqlServer, onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const now = 1_800_000_000;

// With millions of clients or records a look at each of them every ten seconds would stop the service.
describe.each([onSqlite, onPostgresqlServer].filter((kind) => storeKinds.includes(kind)))(
  'housekeeping and the operator on $name',
  ({ make }) => {
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
        const { rows } = await connection.queryRaw({
          sql: `explain ${kind === 'sqlite' ? 'query plan' : ''} ${sql}`,
          args,
          argTypes,
        });
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
          return Object.assign(adapter, {
            queryRaw: hears(adapter.queryRaw),
            executeRaw: hears(adapter.executeRaw),
          });
        },
      });
      const { PrismaClient } = await import(`../../prisma/generated/${kind}/client.ts`);
      database = new PrismaClient({ adapter: listening }) as Database;
      await database.client.create({
        data: {
          clientId: 'app',
          metadata: '{"jwks_uri":"https://app.example.com/jwks"}',
          version: 1,
          createdAt: 0,
          updatedAt: now * 1000,
        },
      });
      heard.length = 0;
    });
    afterAll(async () => {
      await database.$disconnect();
      await store.remove();
    });

    const planOf = async (sql: string, values: unknown) => {
      const args = values as (string | number)[];
      const argTypes = args.map(
        (value) =>
          ({
            scalarType: typeof value === 'string' ? 'string' : 'bigint',
            arity: 'scalar',
          }) as const,
      );
      const placed = databaseKind(url()) === 'sqlite' ? sql.replaceAll(/\$\d+/g, '?') : sql;
      return plan({ sql: placed, args, argTypes });
    };

    /** The rows that were found so far are a table of their own. */
    const wholeTrail = /\bSCAN (e|audit_event)\b|Seq Scan on audit_event/;
    const whole = /\bSCAN (?!c USING INDEX client_jwks_uri_idx|\w+ VIRTUAL TABLE)|Seq Scan/;
    const rounds: Readonly<
      Record<string, (kind: ReturnType<typeof databaseKind>) => Promise<unknown>>
    > = {
      'for keys that are registered no more': async (kind) =>
        sqlBoundKeys(database, kind, 3600).since(now - 130, now),
      'for rows that have expired': async () =>
        Promise.all(
          sqlExpired(database, async () => now, 86_400).map(async ({ remove }) => remove()),
        ),
      'into the audit trail by each filter': async (kind) => {
        const { list } = sqlAudit(database, kind, () => now * 1000);
        const filters = [
          { type: 'signing_key_revoked' },
          { jti: 'x' },
          { jkt: 'x' },
          { client_id: 'app' },
          { client_id: 'app', type: 'token_refused' },
        ];
        for (const filter of filters) await list({ ...filter, limit: 50 });
      },
    };
    it.each(Object.entries(rounds))('a look %s goes by indexes', async (_what, look) => {
      heard.length = 0;
      await look(databaseKind(url()));
      expect(heard.length).toBeGreaterThan(2);
      for (const query of heard) expect(`${query.sql}\n${await plan(query)}`).not.toMatch(whole);
    });

    it('a revocation of what came of tokens, as subject or as actor, goes by indexes', async () => {
      for (const { sql, values } of [
        revokeDerivedFrom('x'),
        ...revokeDerived(now).slice(0, 1),
        ...revokeOfRemovedServers(now).slice(0, 1),
      ])
        expect(`${sql}\n${await planOf(sql, values)}`).not.toMatch(wholeTrail);
    });

    it('a scrape counts registrations up to a bound', async () => {
      heard.length = 0;
      const counts = new Map(await sqlRegistrationCounts(database)());
      expect(counts.get('client')).toBe(1);
      expect(heard).toHaveLength(6);
      for (const { sql, args } of heard) {
        expect(sql).toMatch(/\(SELECT .* LIMIT (\?|\$\d)/i);
        expect(args.map(Number)).toContain(100_000);
      }
    });

    it.each([
      ['of a client', { client_id: 'app' }],
      ['of a key', { jkt: 'x' }],
      ['of keys of a client', { client_id: 'app', jkt: ['x', 'y'] }],
    ])(
      'a revocation of all tokens %s reads what was issued in one span of time after the other, by indexes',
      async (_what, of) => {
        const steps = [
          ...revokeTokensOf(of, now),
          ...withdrawHolderKey(databaseKind(url()), 'x', now),
        ];
        const items = Array.from({ length: 300 }, (_, index) => `x${index}`);
        const ofMany = revokeTokensOf(of, now).map((step) => ({ ...step, items }));
        const statements = [...steps, ...ofMany].map((step) => statementOf(step));
        const queries = new Map(statements.map(({ sql, values }) => [sql, values]));
        expect(queries.size).toBe(3);
        for (const [sql, values] of queries) {
          const shown = await planOf(sql, values);
          expect(`${sql}\n${shown}`).not.toMatch(whole);
          expect(shown).toMatch(/id\s*>/);
        }
        // Together they leave nothing out: each span ends where the one before it began.
        const [first = [], ...others] = revokeTokensOf(of, now).map(
          ({ values }) => values as string[],
        );
        expect(others.every(([, to], index) => to === [first, ...others][index]?.[0])).toBe(true);
        expect(String(first[1]) > 'v'.repeat(42)).toBe(true);
        expect(String(others.at(-1)?.[0]) <= timePrefix((now - 604_800 - 600) * 1000)).toBe(true);
      },
    );
  },
);
