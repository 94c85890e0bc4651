import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scrapeOf } from '../support/scrape.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const [minute, days] = [60_000, 2 * 86_400_000];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a clock that was two days ahead, on $name',
  (kind) => {
    const file = join(folder, `${kind.name}.jsonl`);
    const env = { AUDIT_SINK: `file:${file}`, CLEANUP_INTERVAL: '3600' };
    let store: TestStore;
    let server: TestServer | undefined;
    beforeEach(async () => {
      store = await kind.make();
    });
    afterEach(async () => {
      await server?.stop();
      server = undefined;
      rmSync(file, { force: true });
      await store.remove();
    });
    const register = async (name: string) =>
      server?.admin('POST', 'clients', { client_id: name, client_secret: 's'.repeat(32) });
    const delivered = (name: string) =>
      existsSync(file) && readFileSync(file, 'utf8').includes(`"client_id":"${name}"`);
    const until = async (condition: () => boolean) => {
      while (!condition()) await sleep(20);
    };

    it("keeps no later event back: the database's clock says what is a minute old", async () => {
      const [clock, databaseClock] = [{ now: startOfTime + days }, { now: startOfTime }];
      server = await testServer({ store, env, clock, databaseClock });
      await register('ahead');
      clock.now += 2 * minute;
      databaseClock.now += 2 * minute;
      const { body } = await server.admin('GET', 'audit-events?follow=true&type=client_created');
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

    it("keeps no later event back when it was the database's as well, and says that it goes back", async () => {
      const clock = { now: startOfTime + days };
      server = await testServer({ store, env, clock });
      await register('ahead');
      clock.now += 2 * minute;
      await until(() => delivered('ahead'));
      clock.now -= days;
      await register('after');
      clock.now += 2 * minute;
      await until(() => delivered('after'));
      const said = server.logs.filter(({ msg }) => /was ahead/.test(String(msg)));
      expect(said).toHaveLength(1);
    });

    it('shows as lag what is not delivered yet', async () => {
      const clock = { now: startOfTime };
      await execute(
        store,
        'insert into audit_sink (sink, position, holder, held_until) values ' +
          `('file:${file}', '${(startOfTime + days).toString(32).padStart(10, '0')}', 'other', ${Date.now() + 9000})`,
      );
      server = await testServer({ store, env, clock });
      await register('later');
      clock.now += 10 * minute;
      const scrape = await scrapeOf(`${server.adminUrl}/metrics`, {
        authorization: `Bearer ${adminToken}`,
      });
      expect(scrape.get('holdfast_audit_sink_lag_seconds')).toBeGreaterThanOrEqual(600);
    });

    it('lets another process have the sink of one that died with that clock', async () => {
      await execute(
        store,
        'insert into audit_sink (sink, holder, held_until) values ' +
          `('file:${file}', 'dead', ${Date.now() + days})`,
      );
      server = await testServer({ store, env });
      await register('here');
      server.clock.now += 2 * minute;
      await until(() => delivered('here'));
      const [[holder] = []] = await execute(store, 'select holder from audit_sink');
      expect(holder).not.toBe('dead');
    });
  },
);
