import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, it, type TestContext } from 'vitest';
import { scrapeOf } from '../support/scrape.ts';
import { scratchFolder } from '../support/scratch.ts';
import {
  adminToken,
  startOfTime,
  type TestServer,
  type TestServerOptions,
  testServer,
} from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const [minute, days] = [60_000, 2 * 86_400_000];

type OnTestFinished = TestContext['onTestFinished'];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a clock that was two days ahead, on $name',
  (kind) => {
    // PostgreSQL has too few connections for all of them at once.
    const test = kind === onSqlite ? it.concurrent : it;
    /** A store and a file of its own: the tests wait side by side. */
    const open = async (whenFinished: OnTestFinished) => {
      const store = await kind.make();
      const file = join(folder, `${randomUUID()}.jsonl`);
      const servers: TestServer[] = [];
      whenFinished(async () => {
        for (const server of servers) await server.stop();
        await store.remove();
      });
      return {
        store,
        file,
        async start(options: Pick<TestServerOptions, 'clock' | 'databaseClock'> = {}) {
          const env = { AUDIT_SINK: `file:${file}`, CLEANUP_INTERVAL: '3600' };
          const server = await testServer({ store, env, ...options });
          servers.push(server);
          const register = async (name: string) =>
            server.admin('POST', 'clients', { client_id: name, client_secret: 's'.repeat(32) });
          return { ...server, register };
        },
        delivered: (name: string) =>
          existsSync(file) && readFileSync(file, 'utf8').includes(`"client_id":"${name}"`),
      };
    };
    const until = async (condition: () => boolean) => {
      while (!condition()) await sleep(20);
    };

    test("keeps no later event back: the database's clock says what is a minute old", async ({
      expect,
      onTestFinished,
    }) => {
      const { start, delivered } = await open(onTestFinished);
      const [clock, databaseClock] = [{ now: startOfTime + days }, { now: startOfTime }];
      const { admin, register } = await start({ clock, databaseClock });
      await register('ahead');
      clock.now += 2 * minute;
      databaseClock.now += 2 * minute;
      const { body } = await admin('GET', 'audit-events?follow=true&type=client_created');
      expect(body.items).toEqual([]);
      // Two looks.
      await sleep(2500);
      clock.now = databaseClock.now;
      await register('after');
      clock.now += 2 * minute;
      databaseClock.now += 2 * minute;
      await until(() => delivered('after'));
      expect(delivered('ahead')).toBe(false);
      clock.now += days;
      databaseClock.now += days;
      await until(() => delivered('ahead'));
    });

    test("keeps no later event back when it was the database's as well, and says that it goes back", async ({
      expect,
      onTestFinished,
    }) => {
      const { start, delivered } = await open(onTestFinished);
      const clock = { now: startOfTime + days };
      const { register, logs } = await start({ clock });
      await register('ahead');
      clock.now += 2 * minute;
      await until(() => delivered('ahead'));
      clock.now -= days;
      await register('after');
      clock.now += 2 * minute;
      await until(() => delivered('after'));
      const said = logs.filter(({ msg }) => /was ahead/.test(String(msg)));
      expect(said).toHaveLength(1);
    });

    test('shows as lag what is not delivered yet', async ({ expect, onTestFinished }) => {
      const { store, file, start } = await open(onTestFinished);
      const clock = { now: startOfTime };
      await execute(
        store,
        'insert into audit_sink (sink, position, holder, held_until) values ' +
          `('file:${file}', '${(startOfTime + days).toString(32).padStart(10, '0')}', 'other', ${Date.now() + 9000})`,
      );
      const { register, adminUrl } = await start({ clock });
      await register('later');
      clock.now += 10 * minute;
      const scrape = await scrapeOf(`${adminUrl}/metrics`, {
        authorization: `Bearer ${adminToken}`,
      });
      expect(scrape.get('holdfast_audit_sink_lag_seconds')).toBeGreaterThanOrEqual(600);
    });

    test('lets another process have the sink of one that died with that clock', async ({
      expect,
      onTestFinished,
    }) => {
      const { store, file, start, delivered } = await open(onTestFinished);
      await execute(
        store,
        'insert into audit_sink (sink, holder, held_until) values ' +
          `('file:${file}', 'dead', ${Date.now() + days})`,
      );
      const { register, clock } = await start();
      await register('here');
      clock.now += 2 * minute;
      await until(() => delivered('here'));
      const [[holder] = []] = await execute(store, 'select holder from audit_sink');
      expect(holder).not.toBe('dead');
    });
  },
);
