import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backup } from '../../src/cli/backup.ts';
import type { RecordedEvent } from '../../src/domain/audit-event.ts';
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

describe('holdfast restore', () => {
  const damages = [
    { damage: 'the first page is lost', spoil: (bytes: Buffer) => bytes.fill(7, 0, 4096) },
    { damage: 'the end is lost', spoil: (bytes: Buffer) => bytes.subarray(0, 8192) },
    { damage: 'everything is lost', spoil: () => Buffer.alloc(0) },
  ];
  it.each(damages)('replaces a database of which $damage', async ({ spoil }) => {
    await start(onSqlite);
    await register('kept');
    const file = join(folder, 'copy.db');
    await run('backup', file);
    await stop();
    const path = (store.env['DATABASE_URL'] ?? '').slice(5);
    const damaged = spoil(readFileSync(path));
    writeFileSync(path, damaged);
    writeFileSync(`${path}-wal`, 'log');
    chmodSync(file, 0o644);
    const restored = await run('restore', file, '--json');
    expect(restored).toMatchObject({ code: 0 });
    const { kept } = JSON.parse(restored.stdout) as { kept: string };
    expect(readFileSync(kept).equals(damaged)).toBe(true);
    expect(readFileSync(path).equals(readFileSync(file))).toBe(true);
    // Whoever could read the backup cannot read the database for that.
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await run('backup', path, '--check')).toMatchObject({ code: 0 });
  });

  it.runIf(process.getuid?.() === 0)('by root leaves the database to its user', async () => {
    store = await onSqlite.make();
    const file = join(folder, 'copy.db');
    await whileRunning(async () => run('backup', file));
    const path = (store.env['DATABASE_URL'] ?? '').slice(5);
    chownSync(path, 65_534, 65_534);
    expect(await run('restore', file)).toMatchObject({ code: 0 });
    expect([statSync(path).uid, statSync(path).gid]).toEqual([65_534, 65_534]);
  });
});

describe('what holdfast backup leaves', () => {
  it('is one whole backup where two are made under one name at once', async () => {
    await start(onSqlite);
    const file = join(folder, 'copy.db');
    const silent = {
      stdin: Readable.from([]),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
    };
    // In one process, so that both have looked at the name before either of them copies.
    const make = async () => backup({ ...silent, env: store.env, clock: Date.now }, file, {});
    const made = await Promise.allSettled([make(), make()]);
    expect(made.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(made[1]).toMatchObject({ reason: { exitCode: 2 } });
    expect(await run('backup', file, '--check')).toMatchObject({ code: 0 });
    expect(readdirSync(folder).filter((name) => name.startsWith('copy.db'))).toEqual(['copy.db']);
  });

  it('says of a copy that was interrupted that it is no backup', async () => {
    await start(onSqlite);
    const file = join(folder, 'copy.db');
    writeFileSync(file, '');
    expect(await run('backup', file, '--check')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is empty: a copy that was interrupted, or no backup/),
    });
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

  const words = async (file: string) => {
    const { code, stdout, stderr } = await run('backup', file);
    expect([code, stdout]).toEqual([1, '']);
    return stderr.replace(/^holdfast: .*\n$/m, '');
  };

  it('says what to run and that nothing was made, and the check reads the dump', async () => {
    await start(kind);
    const file = join(folder, "it's.dump");
    const lines = await words(file);
    expect(shell(lines)).toMatch(/ bytes, checked\.\n$/);
    const less = lines.replace('pg_dump', 'pg_dump -T signing_key');
    expect(() => shell(less)).toThrow('lacks the tables signing_key');
  });

  it('names a dump that is cut off, and one that the key-encryption key does not open', async () => {
    await start(kind);
    const file = join(folder, 'copy.dump');
    shell(await words(file));
    const key = { env: { ...store.env, KEY_ENCRYPTION_KEY: 'A'.repeat(43) } };
    expect(await runCommand(folder, ['backup', file, '--check'], key)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('key-encryption key: does not open: signing key'),
    });
    truncateSync(file, statSync(file).size - 2000);
    expect(await run('backup', file, '--check')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not a dump that pg_restore can read'),
    });
  });

  it('restores nothing itself, and says so', async () => {
    await start(kind);
    expect(await run('restore', 'copy.dump')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/pg_restore -d "\$DATABASE_URL" --no-owner 'copy\.dump'$/m),
    });
  });
});

const gone = { name: 'gone', scopes: ['admin:read'] };
const boundAdmin = {
  client_id: 'ops',
  client_secret: 's'.repeat(32),
  resources: ['urn:holdfast:admin'],
  admin_scopes: ['clients:read'],
};

describe.each([onSqlite, ...postgresql])('holdfast admin-token reset on $name', (kind) => {
  it('makes a token that a running server accepts, and that ends the first one', async () => {
    const { adminUrl } = await start(kind);
    const { code, stdout, stderr } = await run('admin-token', 'reset', '--expires-in', '600');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('hfadm_') });
    const asked = async (path: string) =>
      fetch(`${adminUrl}/admin/${path}`, { headers: { authorization: `Bearer ${stdout.trim()}` } });
    const trail = await asked('audit-events?type=admin_token_created');
    expect(await trail.json()).toMatchObject({
      items: [
        {
          actor: 'server',
          detail: { name: expect.stringMatching(/^reset-[\d-]+t\d+-[\da-f]{8}$/) },
        },
      ],
    });
    expect((await server?.admin('GET', 'clients'))?.status).toBe(401);
    const at = Math.floor(Date.now() / 1000);
    const { items } = (await (await asked('admin-tokens')).json()) as {
      items: { expires_at: number }[];
    };
    expect(items[0]?.expires_at).toBeLessThanOrEqual(at + 600);
  });

  it('makes a token by which lasting admins are made, and which cannot be had for longer', async () => {
    await start(kind);
    const { stdout } = await run('admin-token', 'reset');
    const headers = { authorization: `Bearer ${stdout.trim()}` };
    const asked = async (path: string, body: object) => server?.admin('POST', path, body, headers);
    const lasting = await asked('admin-tokens', { name: 'anna', scopes: ['admin:grant'] });
    expect([lasting?.status, lasting?.body.expires_at]).toEqual([201, undefined]);
    expect((await asked('clients', boundAdmin))?.status).toBe(201);
    const list = await server?.admin('GET', 'admin-tokens', undefined, headers);
    const reset = list?.body.items.find(
      ({ created_by: by }: { created_by: string }) => by === 'reset',
    );
    expect((await asked(`admin-tokens/${reset.id}/rotate`, {}))?.status).toBe(409);
  });

  it('ends every other admin on request: those that a restore has brought back', async () => {
    await start(kind);
    const named = await server?.admin('POST', 'admin-tokens', gone);
    await server?.admin('POST', 'clients', boundAdmin);
    const env = { ...store.env, ADMIN_TOKEN: adminToken };
    const made = await runCommand(folder, ['admin-token', 'reset', '--end-others'], { env });
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^The admin token .*\nEnded: the first token\nEnded: client ops\nEnded: token gone\n$/,
      ),
    });
    for (const ended of [named?.body.token, adminToken]) {
      const headers = { authorization: `Bearer ${ended}` };
      expect((await server?.admin('GET', 'clients', undefined, headers))?.status).toBe(401);
    }
    const headers = { authorization: `Bearer ${made.stdout.trim()}` };
    const client = await server?.admin('GET', 'clients/ops', undefined, headers);
    expect(client?.body).not.toHaveProperty('admin_scopes');
    const trail = await server?.admin('GET', 'audit-events?limit=200', undefined, headers);
    const recorded = trail?.body.items.map(({ type, actor }: RecordedEvent) => `${actor} ${type}`);
    const expected = ['admin_token_created', 'admin_token_deleted', 'client_changed'];
    expect(recorded).toEqual(expect.arrayContaining(expected.map((type) => `server ${type}`)));
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
