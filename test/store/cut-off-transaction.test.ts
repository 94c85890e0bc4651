import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/connection/database.ts';
import { sqlAudit } from '../../src/store/tables/sql-audit.ts';
import { startOfTime } from '../support/server.ts';
import { onPostgresqlServer, storeKinds } from '../support/stores.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';

const only = { poolSize: 1, preparedStatements: true };
const ignore = () => undefined;

// A record that lies in somebody's open transaction is answered as durable, and is gone with the connection.
describe.runIf(storeKinds.includes(onPostgresqlServer))(
  'a transaction that PostgreSQL stopped to answer',
  { timeout: 30_000 },
  () => {
    it.each(['a statement', 'the commit'])(
      'at %s: its connection serves nobody else, and what is recorded afterwards is there for all',
      async (where) => {
        const store = await onPostgresqlServer.make();
        const url = new URL(store.env['DATABASE_URL'] ?? '');
        const proxy = await tcpProxy(Number(url.port || 5432));
        const direct = await openDatabase(url.href, ignore);
        url.host = `127.0.0.1:${proxy.port}`;
        const database = await openDatabase(url.href, ignore, only);
        try {
          const cutOff = database.$transaction(async (transaction) => {
            await transaction.$executeRawUnsafe('select 1');
            await proxy.set('held');
            if (where === 'a statement') await transaction.$executeRawUnsafe('select 1');
          });
          await expect(cutOff).rejects.toThrow(/Query read timeout/);
          await proxy.set('open');
          await sqlAudit(database, 'postgresql', () => startOfTime).record({
            type: 'token_issued',
            actor: 'client:app',
          });
          expect(await direct.auditEvent.count()).toBe(1);
        } finally {
          await Promise.all([database.$disconnect(), direct.$disconnect()]);
          await proxy.close();
          await store.remove();
        }
      },
    );
  },
);
