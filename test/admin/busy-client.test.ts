import { describe, expect, it } from 'vitest';
import { timePrefix } from '../../src/domain/time-ordered-id.ts';
import { openDatabase } from '../../src/store/connection/database.ts';
import { testServer } from '../support/server.ts';
import { onPostgresqlServer } from '../support/stores.ts';

describe.runIf(process.env['TEST_DATABASE_URL'] !== undefined)(
  'a client whose tokens of ten minutes take longer to revoke than one statement may last (PostgreSQL)',
  () => {
    it.each([
      ['is deleted', 'clients/busy', 204],
      ['has its tokens revoked', 'clients/busy/tokens', 200],
    ])('%s in one call, and none of its tokens stays active', async (_, path, status) => {
      const store = await onPostgresqlServer.make();
      const server = await testServer({ store });
      const database = await openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined);
      try {
        const client = { client_id: 'busy', client_secret: 's'.repeat(32) };
        expect((await server.admin('POST', 'clients', client)).status).toBe(201);
        const { now } = server.clock;
        const until = now / 1000 + 60;
        // The last ten minutes, and those an hour ago.
        const minutes = [0, 50].flatMap((ago) =>
          Array.from({ length: 10 }, (_, minute) => now - (ago + minute) * 60_000),
        );
        // With the trigger, 100 tokens a minute take as long as some 14,000 without it.
        for (const sql of [
          ...minutes.map(
            (at) =>
              `insert into audit_event (id, at, type, actor, client_id, token_expires_at) select '${timePrefix(at)}' || md5(n::text), ${at}, 'token_issued', 'client:busy', 'busy', ${until} from generate_series(1, 100) n`,
          ),
          `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.001); return new; end'`,
          'create trigger slow before insert on revoked_token for each row execute function slow()',
        ])
          await database.$executeRawUnsafe(sql);
        expect((await server.admin('DELETE', path)).status).toBe(status);
        expect(await database.revokedToken.count()).toBe(minutes.length * 100);
      } finally {
        await database.$disconnect();
        await server.stop();
        await store.remove();
      }
    });
  },
);
