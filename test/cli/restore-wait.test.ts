import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { testKey } from '../support/keys.ts';
import { needs } from '../support/left-out.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onPostgresqlServer, onSqlite, type TestStore } from '../support/stores.ts';

let folder: string;
let store: TestStore;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(async () => {
  await store.remove();
  rmSync(folder, { recursive: true });
});
const run = async (env: Readonly<Record<string, string>>, ...args: string[]) =>
  runCommand(folder, args, { env: { ...store.env, ...env } });

/** What `restore` says after a database with these trusted issuers was backed up. */
async function restored(
  register: (server: TestServer) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
) {
  store = await onSqlite.make();
  const server = await testServer({ store, clock: { now: Date.now() }, databaseClock: 'real' });
  await register(server);
  await server.stop();
  const file = join(folder, 'copy.db');
  expect(await run({}, 'backup', file)).toMatchObject({ code: 0 });
  // A server within the test's own process may keep the file open for a while.
  for (const ending of ['', '-wal', '-shm'])
    rmSync(`${(store.env['DATABASE_URL'] ?? '').slice(5)}${ending}`, { force: true });
  const { code, stdout, stderr } = await run(env, 'restore', file, '--json');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return { ...JSON.parse(stdout), stderr };
}

async function trust(server: TestServer, host: string, members: object): Promise<string> {
  const { jwk } = await testKey();
  const { status, body } = await server.admin('POST', 'trusted-issuers', {
    issuer: `https://${host}.example`,
    jwks: { keys: [jwk] },
    subject_prefix: `${host}:`,
    ...members,
  });
  expect([status, body]).toEqual([201, expect.anything()]);
  return body.id;
}

async function rule(server: TestServer, issuer: string, members: object): Promise<void> {
  const { status, body } = await server.admin('POST', `trusted-issuers/${issuer}/rules`, {
    claims: { sub: 'job' },
    subject: 'job',
    scope: 'read',
    resources: ['https://rs.example.com'],
    ...members,
  });
  expect([status, body]).toEqual([201, expect.anything()]);
}

describe('holdfast restore names how long to wait', () => {
  it('a day for ID-JAGs, and what to do to start earlier', async () => {
    const { wait_seconds, trusted_issuers, stderr } = await restored(async (server) => {
      await trust(server, 'idp', { purposes: ['id_jag'] });
    });
    expect(wait_seconds).toBe(86_460);
    expect(trusted_issuers).toEqual([{ issuer: 'https://idp.example', wait_seconds: 86_460 }]);
    expect(stderr).toMatch(/^Wait 86460 seconds from the stop of the last replica/);
    expect(stderr).toContain('https://idp.example (86460 seconds)');
    expect(stderr).toMatch(/Or wait 360 seconds, .*no client can reach the server, delete/);
  });

  it('max_lifetime of each issuer, and the longest for all', async () => {
    const { wait_seconds, trusted_issuers, stderr } = await restored(async (server) => {
      await trust(server, 'idp', { purposes: ['id_jag'], max_lifetime: 600 });
      const platform = await trust(server, 'ci', { purposes: ['workload'], max_lifetime: 200_000 });
      await rule(server, platform, { pin: true });
    });
    expect(wait_seconds).toBe(200_060);
    expect(trusted_issuers).toEqual([
      { issuer: 'https://ci.example', wait_seconds: 200_060 },
      { issuer: 'https://idp.example', wait_seconds: 660 },
    ]);
    expect(stderr).toMatch(/^Wait 200060 seconds/);
    expect(stderr).toContain('https://ci.example (200060 seconds), https://idp.example (660');
  });

  it('ID_TOKEN_MAX_AGE for ID tokens', async () => {
    const { wait_seconds, trusted_issuers } = await restored(
      async (server) =>
        void (await trust(server, 'op', { purposes: ['id_token'], audience: 'app' })),
      { ID_TOKEN_MAX_AGE: '7200' },
    );
    expect(wait_seconds).toBe(7260);
    expect(trusted_issuers).toEqual([{ issuer: 'https://op.example', wait_seconds: 7260 }]);
  });

  it('six minutes if no platform token is pinned and no other issuer can be read', async () => {
    const { wait_seconds, trusted_issuers, stderr } = await restored(async (server) => {
      const platform = await trust(server, 'ci', { purposes: ['workload'] });
      await rule(server, platform, {});
      const damaged = await trust(server, 'damaged', { purposes: ['id_jag'] });
      await execute(store, `update trusted_issuer set metadata = '{' where id = '${damaged}'`);
    });
    expect(wait_seconds).toBe(360);
    expect(trusted_issuers).toEqual([]);
    expect(stderr).toMatch(/^Wait 360 seconds/);
    expect(stderr).not.toContain('Or wait');
  });
});

describe.runIf(needs.postgresql.isHere(process.env))('holdfast restore on PostgreSQL', () => {
  it('says how to compute the wait', async () => {
    store = await onPostgresqlServer.make();
    const { code, stderr } = await run({}, 'restore', 'copy.dump');
    expect(code).toBe(1);
    expect(stderr).toContain('# Wait 360 seconds from the stop of the last replica');
    expect(stderr).toMatch(
      /id_jag .*pin: its max_lifetime \(86400 seconds if absent\) \+ 60 seconds\. Or .*delete/,
    );
  });
});
