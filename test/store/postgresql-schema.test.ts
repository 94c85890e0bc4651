import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeAddress, startProcess } from '../support/process.ts';
import { basic, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onPostgresqlServer, type TestStore } from '../support/stores.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** A way to name a schema: what is done to the database before, and what becomes of its URL. */
interface Way {
  readonly of: string;
  readonly before?: (name: string, database: string) => readonly string[];
  readonly url?: (url: URL, name: string) => void;
}

const asRole = (url: URL, name: string) => {
  url.username = name;
};
const createRole = (name: string, database: string) => [
  `create role ${name} login`,
  `grant create on database ${database} to ${name}`,
];
const ways: readonly Way[] = [
  {
    of: '?schema= of one that is not there yet',
    url: (url, name) => url.searchParams.set('schema', name),
  },
  {
    of: '?schema= of one that is there, beside other options',
    before: (name) => [`create schema ${name}`],
    url: (url, name) => {
      url.searchParams.set('schema', name);
      url.searchParams.set('options', '-c work_mem=5MB');
    },
  },
  {
    of: '?options=-c search_path=',
    before: (name) => [`create schema ${name}`],
    url: (url, name) => url.searchParams.set('options', `-c search_path=${name},public`),
  },
  {
    of: 'search_path of the database',
    before: (name, database) => [
      `create schema ${name}`,
      `alter database ${database} set search_path = ${name}, public`,
    ],
  },
  {
    of: 'search_path of the role',
    before: (name, database) => [
      ...createRole(name, database),
      `create schema s_${name} authorization ${name}`,
      `alter role ${name} set search_path = s_${name}, public`,
    ],
    url: asRole,
  },
  {
    of: 'a schema that is named as the role',
    before: (name, database) => [
      ...createRole(name, database),
      `create schema authorization ${name}`,
    ],
    url: asRole,
  },
  {
    of: '?schema= for a role without rights on public',
    before: (name, database) => [
      ...createRole(name, database),
      'revoke all on schema public from public',
    ],
    url: (url, name) => {
      asRole(url, name);
      url.searchParams.set('schema', `s_${name}`);
    },
  },
];

describe.runIf(process.env['TEST_DATABASE_URL'] !== undefined)(
  'a schema of one’s own in PostgreSQL',
  { timeout: 120_000 },
  () => {
    let store: TestStore;
    let name: string;
    beforeEach(async () => {
      store = await onPostgresqlServer.make('empty');
      name = `hf_${randomBytes(5).toString('hex')}`;
    });
    afterEach(async () => {
      await execute(store, `drop owned by ${name} cascade`).catch(() => undefined);
      await execute(store, `drop role ${name}`).catch(() => undefined);
      await store.remove();
    });

    const prepare = async ({ before, url: change }: Way): Promise<TestStore> => {
      const url = new URL(store.env['DATABASE_URL'] ?? '');
      for (const statement of before?.(name, url.pathname.slice(1)) ?? [])
        await execute(store, statement);
      change?.(url, name);
      // Spaces of `options` as %20, as an operator writes them.
      const DATABASE_URL = url.href.replaceAll('+', '%20');
      return { ...store, env: { ...store.env, DATABASE_URL } };
    };
    const tables = async () =>
      execute(
        store,
        "select table_schema, count(*) from information_schema.tables where table_name in ('client', '_prisma_migrations', 'audit_event') group by 1",
      );
    const issued = async (fixture: TokenEndpointFixture) => {
      const answer = await fixture.send();
      const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
      const revoked = await fixture.server.post(
        '/revoke',
        { token },
        { authorization: basic('app', clientSecret) },
      );
      return [answer.status, revoked.status];
    };

    it.each(ways)('$of: all tables and statements are there', async (way) => {
      const inSchema = await prepare(way);
      const fixture = await tokenEndpointFixture({ store: inSchema });
      expect(await issued(fixture)).toEqual([200, 200]);
      await fixture.server.stop();
      // A second start finds what the first one made.
      const again = await testServer({ store: inSchema });
      expect((await again.admin('GET', 'clients/app')).status).toBe(200);
      await again.stop();
      expect((await tables()).map(([schema]) => String(schema).replace(/^s_/, ''))).toEqual([name]);
    });

    it('two installations in two schemas, one of them public, know nothing of each other', async () => {
      const [own = ways[0]] = ways;
      const first = await tokenEndpointFixture({ store });
      const second = await testServer({ store: await prepare(own as Way) });
      expect((await second.admin('GET', 'clients')).body.items).toEqual([]);
      expect((await second.admin('GET', 'clients/app')).status).toBe(404);
      expect(await issued(first)).toEqual([200, 200]);
      await second.stop();
      await first.server.stop();
      expect((await tables()).map(([, count]) => Number(count))).toEqual([3, 3]);
    });

    it.each<Way & { says: RegExp }>([
      {
        of: 'a role without rights on public, and no other schema',
        before: (role) => [`create role ${role} login`, 'revoke all on schema public from public'],
        url: asRole,
        says: /The role hf_\w+ finds no schema that exists and that it may use .*create schema/,
      },
      {
        of: 'a role that may not make tables in public',
        before: (role) => [
          `create role ${role} login`,
          'revoke create on schema public from public',
        ],
        url: asRole,
        says: /Cause: .*permission denied for schema public/,
      },
      {
        of: '?schema= that the role may not make',
        before: (role) => [`create role ${role} login`],
        url: (url, role) => {
          asRole(url, role);
          url.searchParams.set('schema', 'unmade');
        },
        says: /Cause: permission denied for database/,
      },
      {
        of: 'a search_path that leads nowhere',
        url: (url) => url.searchParams.set('options', '-c search_path=nowhere'),
        says: /finds no schema that exists and that it may use \(search_path: nowhere\)/,
      },
      {
        of: 'a database that is not there',
        url: (url) => {
          url.pathname = '/nowhere';
        },
        says: /Cause: database "nowhere" does not exist/,
      },
      {
        of: 'a server that is not there',
        url: (url) => {
          url.port = '1';
        },
        says: /cannot be reached.*\nCause: .*(ECONNREFUSED|DatabaseNotReachable)/,
      },
    ])('$of: the start says its cause', async ({ says, ...way }) => {
      const inSchema = await prepare(way);
      const said = await startProcess(inSchema.env, await freeAddress()).then(
        async (started) => `it started, ${await started.end('SIGTERM')}`,
        (error: Error) => error.message,
      );
      expect(said).toMatch(says);
      expect(said).not.toMatch(/^\s+at /m);
    });

    it('an encoding other than UTF8 is refused at start', async () => {
      await execute(
        store,
        `create database ${name} encoding 'LATIN1' locale 'C' template template0`,
      );
      const url = Object.assign(new URL(store.env['DATABASE_URL'] ?? ''), { pathname: `/${name}` });
      const said = await startProcess(
        { ...store.env, DATABASE_URL: url.href },
        await freeAddress(),
      ).catch((error: Error) => error.message);
      await execute(store, `drop database ${name} with (force)`);
      expect(said).toMatch(/The database has the encoding LATIN1, which cannot hold every name/);
    });
  },
);
