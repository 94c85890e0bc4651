import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import SqliteDatabase from 'libsql';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { adminToken } from '../support/server.ts';
import { onSqlite, storeKinds } from '../support/stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the server, which must not come up, and answers its exit code and last words. */
function refusedStart(env: Record<string, string>): {
  readonly code: number | null;
  readonly words: string;
} {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../../dist/main.js')],
    {
      env: { PATH: process.env['PATH'], PORT: '0', ADMIN_PORT: '0', LOG_LEVEL: 'silent', ...env },
      timeout: 20_000,
    },
  );
  return { code: status, words: stderr.toString() };
}

describe('a listener that cannot open', () => {
  it.each(['PORT', 'ADMIN_PORT', 'METRICS_PORT', 'GATEWAY_PORT'])(
    'another program has the port of %s: the start names the address',
    async (variable) => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      const { code, words } = refusedStart({
        ADMIN_TOKEN: adminToken,
        DATABASE_URL: `file:${join(folder, `${variable}.db`)}`,
        [variable]: String(port),
      });
      other.close();
      expect(words).toMatch(
        new RegExp(
          `^Holdfast did not start\\.\n127\\.0\\.0\\.1 port ${port}: another program listens there\\. .*\\b${variable}\\b.*\n$`,
        ),
      );
      expect(code).toBe(1);
    },
  );
  it('the machine has no such address: the start says so', () => {
    const { words } = refusedStart({
      ADMIN_TOKEN: adminToken,
      DATABASE_URL: `file:${join(folder, 'address.db')}`,
      ISSUER: 'https://as.example.com',
      HOST: '192.0.2.1',
    });
    expect(words).toMatch(
      /^Holdfast did not start\.\n192\.0\.2\.1: this machine has no such address \(HOST,/,
    );
  });
});

describe('configuration', () => {
  it('names every fault at once, and repeats no value', () => {
    const env = {
      ISSUER: 'http://as.example.com',
      PORT: 'x',
      ADMIN_TOKEN: 'short-secret',
      DATABASE_URL: 'mysql://x',
      REDIS_URL: 'x',
      LOG_LEVEL: 'loud',
      KEY_ENCRYPTION_KEY: 'not-a-key',
      DPOP_SIGNING_ALGS: 'HS256',
      DPOP_PROOF_MAX_AGE: '-1',
      DPOP_NONCE: 'maybe',
    };
    expect(() => readConfig(env)).toThrow(
      new RegExp(
        Object.keys(env)
          .map((name) => `(?=[^]*${name} must)`)
          .join(''),
      ),
    );
    expect(() => readConfig(env)).not.toThrow(/short-secret|not-a-key/);
  });
  it('a signing key is announced while its predecessor signs, not before', () => {
    const announcement = (interval: string, more = {}) =>
      readConfig({ SIGNING_KEY_ROTATION_INTERVAL: interval, ...more }).signingKeyAnnouncement;
    expect([announcement('86400'), announcement('9999999')]).toEqual([43_200, 14 * 86_400]);
    expect(() => announcement('86400', { SIGNING_KEY_ANNOUNCEMENT: '86400' })).toThrow(
      /SIGNING_KEY_ANNOUNCEMENT must be less than/,
    );
  });

  it.each([
    'https://as.example.com',
    'https://as.example.com/tenant',
    'http://localhost:8080',
    'http://127.0.0.1',
    'http://[::1]:8080',
  ])('issuer %s', (issuer) => {
    expect(readConfig({ ISSUER: issuer }).issuer).toBe(issuer);
  });
  it.each([
    'as.example.com',
    'https://as.example.com?x',
    'https://as.example.com#x',
    'https://u:p@as.example.com',
    'ftp://as.example.com',
    'http://localhost.example.com',
  ])('issuer %s is refused', (issuer) => {
    expect(() => readConfig({ ISSUER: issuer })).toThrow(/ISSUER must/);
  });
  it('stops the start with a sentence', () => {
    const { code, words } = refusedStart({ ISSUER: 'http://as.example.com' });
    expect([code, words]).toEqual([
      5,
      expect.stringMatching(
        /^Holdfast did not start\.\nThe environment has faults:\n {2}- ISSUER must be https/,
      ),
    ]);
  });
});

describe('a fault of CONFIG_FILE', () => {
  it.each(['1', '2'])('ends the start with 5 where %s processes serve', async (workers) => {
    const store = await onSqlite.make();
    const file = join(folder, 'holdfast.yaml');
    writeFileSync(file, 'clients: [{ client_id: a, scoop: read }]');
    expect(refusedStart({ ...store.env, WORKERS: workers, CONFIG_FILE: file })).toEqual({
      code: 5,
      words: expect.stringContaining('Holdfast did not start.'),
    });
    await store.remove();
  });
});

describe('a CONFIG_FILE that the database is too busy for', () => {
  it('ends the start with 1, for the next one may be better', { timeout: 90_000 }, async () => {
    const store = await onSqlite.make();
    const env = { ...store.env, ADMIN_TOKEN: adminToken };
    await (await startProcess(env, await freeAddress())).end('SIGTERM');
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'resource_servers: [{ audience: "https://api.example" }]');
    const other = new SqliteDatabase((store.env['DATABASE_URL'] ?? '').slice(5));
    other.exec('begin immediate');
    expect(refusedStart({ ...env, CONFIG_FILE: file })).toEqual({
      code: 1,
      words: expect.stringMatching(/^Holdfast did not start\.\ndatabase is unavailable/),
    });
    other.close();
    await store.remove();
  });
});

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'the key-encryption key on $name',
  { timeout: 90_000 },
  (kind) => {
    it('wrong, missing or malformed: a sentence that says what to do, and nothing is overwritten', async () => {
      const store = await kind.make();
      const url = String(store.env['DATABASE_URL']);
      const key =
        store.env['KEY_ENCRYPTION_KEY_FILE'] ??
        url.replace(/^file:(.*)\.db$/, '$1.key-encryption-key');
      const env = { ...store.env, ADMIN_TOKEN: adminToken };
      const first = await startProcess(env, await freeAddress());
      const jwks = await (await fetch(`${first.url}/jwks`)).text();
      await first.end('SIGTERM');
      const right = readFileSync(key, 'utf8');
      // Made on first start, for the server's user alone.
      expect(statSync(key).mode & 0o777).toBe(0o600);

      rmSync(key);
      expect(refusedStart(env)).toEqual({
        code: 1,
        words: expect.stringMatching(/key-encryption key .* is missing\. Restore that file/),
      });
      expect(existsSync(key)).toBe(false);
      writeFileSync(key, 'truncated');
      expect(refusedStart(env).words).toMatch(/is not base64url of 32 bytes/);
      expect(readFileSync(key, 'utf8')).toBe('truncated');
      writeFileSync(key, Buffer.alloc(32, 1).toString('base64url'));
      expect(refusedStart(env).words).toMatch(/was not sealed by this key-encryption key/);
      writeFileSync(key, right);
      const again = await startProcess(env, await freeAddress());
      expect(await (await fetch(`${again.url}/jwks`)).text()).toBe(jwks);
      await again.end('SIGTERM');
      await store.remove();
    });
  },
);

describe('migrations', { timeout: 60_000 }, () => {
  it('one that was begun and not finished, or that a newer version made: a sentence, and nothing is changed', async () => {
    const url = `file:${join(folder, 'migrations.db')}`;
    const first = await startProcess({ DATABASE_URL: url }, await freeAddress());
    await first.end('SIGTERM');
    const run = async (sql: string) => {
      const connection = await new PrismaLibSql({ url }).connect();
      await connection.executeScript(sql);
      await connection.dispose();
    };
    await run("update _prisma_migrations set finished_at = null where migration_name like '%init'");
    expect(refusedStart({ DATABASE_URL: url }).words).toMatch(
      /was begun and not finished: restore the database/,
    );
    await run(
      "update _prisma_migrations set finished_at = started_at, migration_name = '99990101000000_newer' where finished_at is null",
    );
    expect(refusedStart({ DATABASE_URL: url }).words).toMatch(
      /does not know \(99990101000000_newer\): start the newer version/,
    );
  });
});

describe('a stop by SIGTERM', { timeout: 90_000 }, () => {
  it('fails readiness first, finishes, and exits with 0; a second start keeps everything and shows no token', async () => {
    const env = {
      DATABASE_URL: `file:${join(folder, 'stop.db')}`,
      ADMIN_TOKEN: '',
      SHUTDOWN_DELAY_MS: '1500',
    };
    const first = await startProcess(env, await freeAddress());
    expect(first.output()).toMatch(/admin token {2}in \S+/);
    const ended = first.end('SIGTERM');
    await first.said(/"stopping"/);
    const ready = await fetch(`${first.url}/health/ready`);
    const jwks = await fetch(`${first.url}/jwks`);
    expect([
      ready.status,
      ((await ready.json()) as { status: string }).status,
      jwks.status,
    ]).toEqual([503, 'stopping', 200]);
    const keys = await jwks.text();
    expect(await ended).toBe(0);
    const second = await startProcess(env, await freeAddress());
    expect(second.output()).not.toMatch(/admin token|hfadm_/);
    expect(await (await fetch(`${second.url}/jwks`)).text()).toBe(keys);
    expect(await second.end('SIGTERM')).toBe(0);
  });
});

describe('the log', () => {
  it('whose reader is gone does not keep the process from its end', {
    timeout: 30_000,
  }, async () => {
    const process = await startProcess(
      { DATABASE_URL: `file:${join(folder, 'no-reader.db')}`, LOG_LEVEL: 'info' },
      await freeAddress(),
    );
    process.child.stdout?.destroy();
    const ended = process.end('SIGTERM');
    const hung = new Promise<string>((resolve) =>
      setTimeout(resolve, 15_000, 'it goes on').unref(),
    );
    const outcome = await Promise.race([ended, hung]);
    if (outcome !== 0) process.child.kill('SIGKILL');
    expect(outcome).toBe(0);
  });
});
