import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, type TestServer, testServer } from '../support/server.ts';
import {
  onPostgresqlServer,
  onSqlite,
  type TestStore,
  type TestStoreKind,
} from '../support/stores.ts';

const postgresql = needs.postgresql.isHere(process.env) ? [onPostgresqlServer] : [];
let folder: string;
let store: TestStore;
let server: TestServer | undefined;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(async () => {
  await server?.stop();
  await store.remove();
  rmSync(folder, { recursive: true });
});

async function start(kind?: TestStoreKind): Promise<TestServer> {
  if (kind !== undefined) store = await kind.make();
  server = await testServer({ store, clock: { now: Date.now() }, databaseClock: 'real' });
  return server;
}
const stop = async () => {
  await server?.stop();
  server = undefined;
};
const run = async (...args: string[]) => runCommand(folder, args, { env: { ...store.env } });
const register = async (id: string) => {
  const body = { client_id: id, client_secret: 's'.repeat(32) };
  return (await server?.admin('POST', 'clients', body))?.status;
};
/** Clients of a server that runs as a process, for SQLite's locks know no other difference. */
interface RunningClients {
  register(id: string): Promise<number>;
  list(): Promise<readonly string[]>;
}

async function whileRunning<Result>(use: (clients: RunningClients) => Promise<Result>) {
  const running = await startProcess(store.env, await freeAddress());
  const url = `${running.adminUrl}/clients`;
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  try {
    return await use({
      async register(id) {
        const body = JSON.stringify({ client_id: id, client_secret: 's'.repeat(32) });
        return (await fetch(url, { method: 'POST', headers, body })).status;
      },
      async list() {
        const { items } = (await (await fetch(url, { headers })).json()) as {
          readonly items: readonly { readonly client_id: string }[];
        };
        return items.map(({ client_id: id }) => id);
      },
    });
  } finally {
    await running.end('SIGTERM');
  }
}

describe('holdfast backup and restore on SQLite', () => {
  it('copies the database of a running server, and puts it back once that has stopped', async () => {
    store = await onSqlite.make();
    const file = join(folder, 'copy.db');
    const tried = await whileRunning(async ({ register }) => {
      expect(await register('before')).toBe(201);
      const made = await run('backup', file);
      expect(made).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/ bytes, checked\.\n$/),
      });
      expect(made.stderr).toMatch(/^The key-encryption key is not in it: back up .*encryption-key/);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(await run('backup', file)).toMatchObject({ code: 2 });
      const attempt = await run('restore', file);
      expect(await register('after')).toBe(201);
      return attempt;
    });
    expect(tried).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('stop it first. Nothing was changed'),
    });
    expect(await whileRunning(async ({ list }) => list())).toEqual(['after', 'before']);
    const restored = await run('restore', file, '--json');
    expect(restored).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Wait 360 seconds/) });
    expect(await whileRunning(async ({ list }) => list())).toEqual(['before']);
    const { kept } = JSON.parse(restored.stdout) as { kept: string };
    expect(readFileSync(kept).subarray(0, 15).toString()).toBe('SQLite format 3');
  });

  const broken = [
    { what: 'a part of it', spoil: (file: string) => truncateSync(file, 20_480) },
    { what: 'no database', spoil: (file: string) => writeFileSync(file, 'hello') },
    {
      what: 'the key of another installation',
      spoil: () =>
        writeFileSync(
          (store.env['DATABASE_URL'] ?? '').slice(5).replace(/\.db$/, '.key-encryption-key'),
          `${'A'.repeat(43)}\n`,
        ),
    },
  ];
  it.each(broken)('restores nothing from $what', async ({ spoil }) => {
    await start(onSqlite);
    await register('kept');
    const file = join(folder, 'copy.db');
    await run('backup', file);
    await stop();
    const path = (store.env['DATABASE_URL'] ?? '').slice(5);
    const before = readFileSync(path);
    spoil(file);
    expect(await run('backup', file, '--check')).toMatchObject({ code: 1 });
    expect(await run('restore', file)).toMatchObject({ code: 1 });
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe.each(postgresql)('holdfast backup on PostgreSQL, if it is here', (kind) => {
  const shell = (script: string) =>
    execFileSync(
      'sh',
      [
        '-euc',
        `holdfast() { "${process.execPath}" "${join(import.meta.dirname, '../../bin/holdfast.js')}" "$@"; }\n${script}`,
      ],
      { env: { PATH: process.env['PATH'], ...store.env }, encoding: 'utf8', stdio: 'pipe' },
    );

  it('prints what to run, and the check says whether the dump has every table', async () => {
    await start(kind);
    const file = join(folder, "it's.dump");
    const words = await run('backup', file);
    expect(shell(words.stdout)).toMatch(/ bytes, checked\.\n$/);
    const less = words.stdout.replace('pg_dump', 'pg_dump -T signing_key');
    expect(() => shell(less)).toThrow('lacks the tables signing_key');
  });
});

describe.each([onSqlite, ...postgresql])('holdfast admin-token reset on $name', (kind) => {
  it('makes a token that a running server accepts, and that ends the first one', async () => {
    const { adminUrl } = await start(kind);
    const { code, stdout, stderr } = await run('admin-token', 'reset', '--expires-in', '600');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('hfadm_') });
    const asked = async (path: string) =>
      fetch(`${adminUrl}/admin/${path}`, { headers: { authorization: `Bearer ${stdout.trim()}` } });
    const trail = await asked('audit-events?type=admin_token_created');
    expect(await trail.json()).toMatchObject({
      items: [{ actor: 'server', detail: { name: expect.stringMatching(/^reset-[\d-]+t\d+$/) } }],
    });
    expect((await server?.admin('GET', 'clients'))?.status).toBe(401);
    const at = Math.floor(Date.now() / 1000);
    const { items } = (await (await asked('admin-tokens')).json()) as {
      items: { expires_at: number }[];
    };
    expect(items[0]?.expires_at).toBeLessThanOrEqual(at + 600);
  });

  it('writes the token to a private file on request', async () => {
    await start(kind);
    const file = join(folder, 'token');
    const { stdout } = await run('admin-token', 'reset', '--file', file);
    expect(stdout).toBe('');
    expect([statSync(file).mode & 0o777, readFileSync(file, 'utf8').slice(0, 6)]).toEqual([
      0o600,
      'hfadm_',
    ]);
  });

  it('makes no database where there is none', async () => {
    store = await kind.make('empty');
    expect(await run('admin-token', 'reset')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Start the server first.'),
    });
  });
});
