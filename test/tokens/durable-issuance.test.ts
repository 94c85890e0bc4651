import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { decodeJwt } from 'jose';
import SqliteDatabase from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseFile } from '../../src/config/database-url.ts';
import { testKey } from '../support/keys.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { adminToken, basic } from '../support/server.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';
import {
  audience,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

type Connection = Awaited<ReturnType<PrismaPg['connect']>>;

/** A session of another program on the same database. */
async function connect({ env }: TestStore): Promise<Connection> {
  const url = env['DATABASE_URL'] ?? '';
  return (await (url.startsWith('file:')
    ? new PrismaLibSql({ url })
    : new PrismaPg({ connectionString: url })
  ).connect()) as Connection;
}
const query = async (connection: Pick<Connection, 'queryRaw'>, sql: string) =>
  (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;

describe.each(storeKinds)(
  'an issuance is never answered before its record is durable: $name',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    let session: Connection;
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store });
      session = await connect(store);
      while (!(await fixture.outcome()).startsWith('200')) await sleep(10);
    });
    afterAll(async () => {
      await session.dispose();
      await fixture.server.stop();
      await store.remove();
    });
    const issued = async () =>
      new Set(
        (await query(session, "select id from audit_event where type = 'token_issued'")).map(
          ([id]) => String(id),
        ),
      );
    const jtiOf = ({ body }: { readonly body: string }) =>
      String(decodeJwt((JSON.parse(body) as { access_token: string }).access_token).jti);
    /** Nobody else can write to the audit trail until the answer is called; everybody can read it. */
    const hold = async (): Promise<() => Promise<void>> => {
      if (kind.name.startsWith('SQLite')) {
        const other = new SqliteDatabase(databaseFile(store.env['DATABASE_URL'] ?? ''));
        other.exec('begin immediate');
        return async () => void other.close();
      }
      const transaction = await session.startTransaction();
      await transaction.executeRaw({
        sql: 'lock table audit_event in share mode',
        args: [],
        argTypes: [],
      });
      return async () => {
        await transaction.executeRaw({ sql: 'commit', args: [], argTypes: [] });
        await transaction.commit();
      };
    };

    /** Waits until so many statements wait for the table, on PostgreSQL. */
    const waiting = async (isEnough: (count: number) => boolean) => {
      const locks =
        "select count(*) from pg_locks where not granted and relation = 'audit_event'::regclass";
      const observer = await connect(store);
      while (!isEnough(Number((await query(observer, locks))[0]?.[0]))) await sleep(5);
      await observer.dispose();
    };

    it('when the record cannot be written there is no token: 503', async () => {
      const dpop = await fixture.key.proof();
      const before = await issued();
      const release = await hold();
      const refused = await fixture.send({ dpop });
      // The database may end the statement a little later than the server stops waiting for it.
      if (kind.name.startsWith('PostgreSQL')) await waiting((count) => count === 0);
      await release();
      expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
        503,
        { error: 'temporarily_unavailable' },
      ]);
      expect(refused.body).not.toContain('access_token');
      expect(await issued()).toEqual(before);
      // In one transaction nothing was used up; where the uses lie elsewhere the proof is spent.
      expect(await fixture.outcome({ dpop })).toMatch(
        kind.name.includes('Redis') ? /^400 / : /^200 /,
      );
    });

    if (!kind.name.startsWith('PostgreSQL')) return;
    it('while the record waits for its commit, so does the answer', async () => {
      const before = await issued();
      const release = await hold();
      let answered = false;
      const asked = fixture.send().finally(() => (answered = true));
      await waiting((count) => count >= 1);
      // Whoever did not wait would have answered long ago.
      for (let times = 0; times < 10; times++) await fixture.server.get('/jwks');
      expect(answered).toBe(false);
      await release();
      const answer = await asked;
      expect(answer.status).toBe(200);
      expect([...(await issued())].filter((id) => !before.has(id))).toEqual([jtiOf(answer)]);
    });
    it('records of issuances at the same time share transactions', async () => {
      // Made before the hold, which must be shorter than the time limit of a statement.
      const proofs = await Promise.all(Array.from({ length: 40 }, async () => fixture.key.proof()));
      const release = await hold();
      const asked = Promise.all(proofs.map(async (dpop) => fixture.send({ dpop })));
      const batches = kind.name.includes('Redis') ? 1 : 2;
      await waiting((count) => count >= batches);
      for (let times = 0; times < 20; times++) await fixture.server.get('/jwks');
      await release();
      const ids = (await asked).map(jtiOf).map((id) => `'${id}'`);
      const [[count] = []] = await query(
        session,
        `select count(distinct xmin::text) from audit_event where id in (${ids.join()})`,
      );
      expect(ids).toHaveLength(40);
      expect(Number(count)).toBeLessThan(20);
    });
  },
);

describe('an issuance is never answered before its record is durable: SQLite, whose writer waits with the whole process', () => {
  it('while another process holds the database there is no answer; then all come, by fewer commits than tokens', {
    timeout: 60_000,
  }, async () => {
    const store = await onSqlite.make();
    const file = databaseFile(store.env['DATABASE_URL'] ?? '');
    const server = await startProcess(store.env, await freeAddress());
    const key = await testKey();
    const register = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
      await (
        await fetch(`${server.adminUrl}/${path}`, {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        })
      ).text();
    };
    await register('resource-servers', { audience, scopes: ['read'] });
    await register('clients', { client_id: 'app', client_secret: clientSecret, scope: 'read' });
    const ask = async () => {
      const dpop = await key.proof({
        iat: Math.floor(Date.now() / 1000),
        htu: `${server.url}/token`,
      });
      const headers = {
        authorization: basic('app', clientSecret),
        dpop,
        'content-type': 'application/x-www-form-urlencoded',
      };
      const answer = await fetch(`${server.url}/token`, {
        method: 'POST',
        headers,
        body: 'grant_type=client_credentials',
      });
      return { status: answer.status, body: await answer.text() };
    };
    const other = new SqliteDatabase(file);
    other.pragma('busy_timeout = 5000');
    const before = commits(`${file}-wal`);
    other.exec('begin immediate');
    let answered = 0;
    const asked = Array.from({ length: 40 }, async () => {
      const answer = await ask();
      answered++;
      return answer;
    });
    await sleep(500);
    expect(answered).toBe(0);
    other.exec('commit');
    const answers = await Promise.all(asked);
    const ids = answers.map(({ body }) =>
      String(decodeJwt((JSON.parse(body) as { access_token: string }).access_token).jti),
    );
    const recorded = other
      .prepare("select id from audit_event where type = 'token_issued'")
      .all() as { id: string }[];
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200));
    expect(recorded.map(({ id }) => id).sort()).toEqual([...ids].sort());
    const made = commits(`${file}-wal`) - before;
    expect([made > 0, made < 40]).toEqual([true, true]);
    other.close();
    await server.end('SIGTERM');
    await store.remove();
  });
});

/** How many transactions are in the write-ahead log: frames that end one name the size of the database (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
function commits(file: string): number {
  const log = readFileSync(file);
  const [header, frame] = [32, 24 + log.readUInt32BE(8)];
  let count = 0;
  for (let at = header; at + frame <= log.length; at += frame) {
    const ofThisLog = log.subarray(at + 8, at + 16).equals(log.subarray(16, 24));
    if (ofThisLog && log.readUInt32BE(at + 4) !== 0) count++;
  }
  return count;
}
