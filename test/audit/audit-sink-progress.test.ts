import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it, type TestContext } from 'vitest';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { auditReceiver } from '../support/audit-receiver.ts';
import { scrapeOf } from '../support/scrape.ts';
import { adminToken, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';

type OnTestFinished = TestContext['onTestFinished'];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a webhook that takes its time, on $name',
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    /** A store and a webhook of its own: the tests wait side by side. */
    const open = async (whenFinished: OnTestFinished) => {
      const [store, receiver] = [await kind.make(), await auditReceiver()];
      const servers = new Set<TestServer>();
      whenFinished(async () => {
        for (const server of servers) await server.stop();
        receiver.close();
        await store.remove();
      });
      return {
        store,
        receiver,
        async start(more: Readonly<Record<string, string>> = {}) {
          const server = await testServer({
            store,
            env: { CLEANUP_INTERVAL: '3600', ...receiver.env, ...more },
            clock: { now: startOfTime + 3_600_000 },
          });
          servers.add(server);
          const stop = async () => {
            servers.delete(server);
            await server.stop();
          };
          return { ...server, stop };
        },
        /** Four events, of which two fill a body. */
        async large(): Promise<readonly string[]> {
          const ids = [0, 1, 2, 3].map((after) => timeOrderedId(startOfTime + after));
          for (const id of ids)
            await execute(
              store,
              'insert into audit_event (id, at, type, actor, reason) values ' +
                `('${id}', ${startOfTime}, 'client_changed', 'admin', '${'x'.repeat(120_000)}')`,
            );
          return ids;
        },
        column: async (name: string) =>
          (await execute(store, `select ${name} from audit_sink`))[0]?.[0],
      };
    };

    test('is asked only for what it has not taken: each body counts by itself', async ({
      expect,
      onTestFinished,
    }) => {
      const { receiver, start, large, column } = await open(onTestFinished);
      const ids = await large();
      await start();
      const first = await receiver.next();
      expect(first.ids).toEqual(ids.slice(0, 2));
      first.answer.writeHead(204).end();
      const second = await receiver.next();
      expect(second.ids).toEqual(ids.slice(2));
      second.answer.writeHead(503).end();
      const again = await receiver.next();
      expect(again.ids).toEqual(ids.slice(2));
      again.answer.writeHead(204).end();
      while ((await column('position')) !== ids[3]) await sleep(20);
    });

    test('is held anew by every body that it takes', async ({ expect, onTestFinished }) => {
      const { store, receiver, start, large, column } = await open(onTestFinished);
      await large();
      await start();
      const first = await receiver.next();
      await execute(store, `update audit_sink set held_until = 0`);
      first.answer.writeHead(204).end();
      const second = await receiver.next();
      expect(Number(await column('held_until'))).toBeGreaterThan(0);
      second.answer.writeHead(204).end();
    });

    test('is named in the log when another process has taken the sink meanwhile', async ({
      expect,
      onTestFinished,
    }) => {
      const { store, receiver, start, large } = await open(onTestFinished);
      await large();
      const { logs } = await start();
      const first = await receiver.next();
      await execute(
        store,
        `update audit_sink set holder = 'other', held_until = ${Date.now() + 9000}`,
      );
      first.answer.writeHead(204).end();
      const said = () => logs.find(({ msg }) => /not delivered/.test(String(msg)));
      while (said() === undefined) await sleep(20);
      expect(said()).toMatchObject({ err: { message: expect.stringMatching(/another process/) } });
    });

    test('keeps no server that stops waiting, and gets no further body from it', async ({
      expect,
      onTestFinished,
    }) => {
      const { receiver, start, large } = await open(onTestFinished);
      await large();
      const { stop } = await start({ SHUTDOWN_TIMEOUT_MS: '2000' });
      const first = await receiver.next();
      await stop();
      expect(first.answer.writableFinished || first.answer.destroyed).toBe(false);
      first.answer.writeHead(204).end();
      await sleep(500);
      expect(receiver.waiting()).toBe(0);
    });

    test('gets events that are older than AUDIT_RETENTION all the same', async ({
      expect,
      onTestFinished,
    }) => {
      const { receiver, start } = await open(onTestFinished);
      const env = { CLEANUP_INTERVAL: '1', AUDIT_RETENTION: '604800' };
      const { admin, clock, adminUrl } = await start(env);
      await admin('POST', 'clients', { client_id: 'app', client_secret: 's'.repeat(32) });
      const about = async () => (await admin('GET', 'audit-events?client_id=app')).body.items;
      const [{ id }] = await about();
      const cleanedUp = async () =>
        (await scrapeOf(`${adminUrl}/metrics`, { authorization: `Bearer ${adminToken}` })).get(
          'holdfast_job_last_success_timestamp_seconds{job_name="audit_event"}',
        );
      clock.now += 8 * 86_400_000;
      const first = await receiver.next();
      const before = await cleanedUp();
      while ((await cleanedUp()) === before) await sleep(100);
      first.answer.writeHead(503).end();
      const second = await receiver.next();
      expect(second.ids).toContain(id);
      second.answer.writeHead(204).end();
      while ((await about()).length > 0) await sleep(100);
    });

    test('is said to get events again only when it has got one', async ({
      expect,
      onTestFinished,
    }) => {
      const { store, receiver, start, large, column } = await open(onTestFinished);
      const ids = await large();
      const { logs } = await start();
      const said = (words: RegExp) => logs.some(({ msg }) => words.test(String(msg)));
      (await receiver.next()).answer.writeHead(503).end();
      while (!said(/not delivered/)) await sleep(20);
      // Another process has delivered them.
      await execute(store, `update audit_sink set position = '${ids[3]}'`);
      while ((await column('holder')) === null) await sleep(20);
      await sleep(1500);
      expect(said(/delivered again/)).toBe(false);
    });
  },
);
