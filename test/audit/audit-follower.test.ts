import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'whoever follows the audit trail on $name',
  (kind) => {
    let store: TestStore;
    let server: TestServer;
    beforeAll(async () => {
      store = await kind.make();
      server = await testServer({ store, env: { CLEANUP_INTERVAL: '3600' } });
    });
    afterAll(async () => {
      await server.stop();
      await store.remove();
    });
    /** An entry that was named then and is written only now, as by a replica whose commit took long. */
    const writtenLate = async (at: number): Promise<string> => {
      const id = timeOrderedId(at);
      const sql = `insert into audit_event (id, at, type, actor) values ('${id}', ${at}, 'client_changed', 'admin')`;
      await execute(store, sql);
      return id;
    };
    const registered = async (name: string) =>
      server.admin('POST', 'clients', { client_id: name, client_secret: 's'.repeat(32) });
    const ids = async (query: string) =>
      (await server.admin('GET', `audit-events?limit=200${query}`)).body.items.map(
        ({ id }: { id: string }) => id,
      );

    it.each(['application/json', 'application/jsonl'])(
      'gets every entry once and in order, also one that is written late: %s',
      async (accept) => {
        const found: string[] = [];
        let cursor: string | null = null;
        const follow = async () => {
          const query: string = `audit-events?follow=true&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
          const { status, body, headers } = await server.admin('GET', query, undefined, { accept });
          expect(status).toBe(200);
          const lines = accept === 'application/jsonl';
          const items = lines
            ? (body as string)
                .split('\n')
                .filter(Boolean)
                .map((line) => JSON.parse(line) as { id: string })
            : body.items;
          found.push(...items.map(({ id }: { id: string }) => id));
          cursor = lines ? headers.get('x-next-cursor') : body.next_cursor;
          return items.length as number;
        };
        const toTheEnd = async () => {
          while ((await follow()) > 0);
        };
        await toTheEnd();
        const late: string[] = [];
        for (let round = 0; round < 4; round++) {
          const before = server.clock.now;
          server.clock.now += 20_000;
          await registered(`${accept.slice(-5)}-${round}`.replace(/[^a-z0-9-]/g, ''));
          await toTheEnd();
          late.push(await writtenLate(before + 1));
          await toTheEnd();
        }
        // Whoever looks without following sees all of it at once.
        expect(await ids('')).toEqual(expect.arrayContaining(late));
        expect(found).not.toContain(late.at(-1));
        server.clock.now += 61_000;
        await toTheEnd();
        expect(found).toEqual(await ids(''));
        // From the end one comes back too.
        await registered(`${accept.slice(-4)}-last`);
        server.clock.now += 61_000;
        await toTheEnd();
        expect(found).toEqual(await ids(''));
      },
    );
    it('without follow=true a cursor of now misses what is written late', async () => {
      for (const name of ['young', 'younger']) await registered(name);
      const { next_cursor } = (
        await server.admin('GET', `audit-events?limit=${(await ids('')).length - 1}`)
      ).body;
      const late = await writtenLate(server.clock.now - 1000);
      expect(
        [await ids(`&cursor=${next_cursor}`), await ids('')].map((found) => found.includes(late)),
      ).toEqual([false, true]);
    });
    it.each(['follow=false', 'follow=', 'follow=true&follow=true'])(
      '%s is refused',
      async (query) => {
        const { status, body } = await server.admin('GET', `audit-events?${query}`);
        expect([status, body.member]).toEqual([400, 'follow']);
      },
    );
  },
);
