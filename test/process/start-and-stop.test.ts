import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import SqliteDatabase from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { certificate } from '../support/certificates.ts';
import { runCommandHere } from '../support/command.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { adminToken, testServer } from '../support/server.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-start-'));
/** One that has been used before, for starts that make nothing of their own: they take less. */
let used: TestStore;
beforeAll(async () => {
  used = await onSqlite.make();
  await (await testServer({ store: used })).stop();
});
afterAll(async () => {
  await used.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the server, which must not come up, and answers its exit code and last words. */
async function refusedStart(env: Record<string, string>): Promise<{
  readonly code: number | null;
  readonly words: string;
}> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../dist/main.js')], {
    env: { PATH: process.env['PATH'], PORT: '0', ADMIN_PORT: '0', LOG_LEVEL: 'silent', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 20_000,
  });
  const [words] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, words };
}

describe.concurrent('a listener that cannot open', () => {
  it.for(['PORT', 'ADMIN_PORT', 'METRICS_PORT', 'GATEWAY_PORT'])(
    'another program has the port of %s: the start names the address',
    async (variable, { expect }) => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      // The first start of a new database, which migrates it and makes keys before.
      const { code, words } = await refusedStart({
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
  it('the machine has no such address: the start says so', async ({ expect }) => {
    const { words } = await refusedStart({
      ADMIN_TOKEN: adminToken,
      ...used.env,
      ISSUER: 'https://as.example.com',
      HOST: '192.0.2.1',
    });
    expect(words).toMatch(
      /^Holdfast did not start\.\n192\.0\.2\.1: this machine has no such address \(HOST,/,
    );
  });
  it.for([
    ['HOST', {}],
    ['HOST', { PORT: '8099' }],
    ['ADMIN_HOST', {}],
    ['HOST', { WORKERS: '2' }],
  ] as const)(
    'no host has the name in %s (%j): the start says so',
    async ([variable, more], { expect }) => {
      const { code, words } = await refusedStart({
        ADMIN_TOKEN: adminToken,
        ...used.env,
        ISSUER: 'https://as.example.com',
        [variable]: 'no.such.host.invalid',
        ...more,
      });
      expect(words).toMatch(
        new RegExp(
          `^Holdfast did not start\\.\nno\\.such\\.host\\.invalid: no address is known for this name .*\\b${variable}\\b.*\n$`,
        ),
      );
      expect(code).toBe(1);
    },
  );
  it('the folder of the gateway socket is missing: the start says so', async ({ expect }) => {
    const { words } = await refusedStart({
      ADMIN_TOKEN: adminToken,
      ...used.env,
      GATEWAY_PORT: 'unix:/nowhere/gateway.sock',
    });
    expect(words).toMatch(
      /^Holdfast did not start\.\n\/nowhere\/gateway\.sock: the socket cannot be made .*\n$/,
    );
  });
});

describe('a PostgreSQL that does not answer', () => {
  it('the start says where it was sought and what to check, and no secret', async () => {
    const { code, words } = await refusedStart({
      ADMIN_TOKEN: adminToken,
      DATABASE_URL: 'postgresql://somebody:geheim@127.0.0.1:1/holdfast?schema=own',
      KEY_ENCRYPTION_KEY_FILE: join(folder, 'unused.key'),
    });
    expect(words).toMatch(
      /cannot be reached.*\nCause: .*\nDATABASE_URL leads to the database holdfast at 127\.0\.0\.1 port 1\. Check that PostgreSQL runs there/,
    );
    expect(words).not.toMatch(/somebody|geheim/);
    expect(code).toBe(1);
  });
});

describe.concurrent('a TLS file that cannot be used', () => {
  const file = (name: string, content: string, mode = 0o600) => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode });
    return path;
  };
  const files = async () => {
    const [own, other] = [await certificate(), await certificate({ subject: 'CN=other' })];
    const key = createPrivateKey(own.keyPem);
    const passphrase = { cipher: 'aes-256-cbc', passphrase: 'x' };
    return {
      cert: file('tls.crt', own.pem),
      key: file('tls.key', own.keyPem),
      other: file('other.key', other.keyPem),
      none: file('none.pem', 'This is no PEM.'),
      locked: file(
        'locked.key',
        String(key.export({ type: 'pkcs8', format: 'pem', ...passphrase })),
      ),
      nowhere: join(folder, 'nowhere.pem'),
    };
  };
  type Files = Awaited<ReturnType<typeof files>>;
  type Name = keyof Files;
  let paths: Files;
  beforeAll(async () => {
    paths = await files();
  });
  const cases: readonly (readonly [string, Partial<Record<string, Name>>, RegExp])[] = [
    [
      'no certificate',
      { CERT: 'nowhere', KEY: 'key' },
      /TLS_CERT_FILE: .*nowhere\.pem cannot be read: it does not exist/,
    ],
    [
      'no key',
      { CERT: 'cert', KEY: 'nowhere' },
      /TLS_KEY_FILE: .*nowhere\.pem cannot be read: it does not exist/,
    ],
    [
      'a certificate that is no PEM',
      { CERT: 'none', KEY: 'key' },
      /TLS_CERT_FILE: .*none\.pem holds no certificate in PEM/,
    ],
    [
      'a key that is no PEM',
      { CERT: 'cert', KEY: 'none' },
      /TLS_KEY_FILE: .*none\.pem holds no private key in PEM/,
    ],
    [
      'a key with a passphrase',
      { CERT: 'cert', KEY: 'locked' },
      /TLS_KEY_FILE: .*locked\.key .*passphrase/,
    ],
    [
      'the key of another certificate',
      { CERT: 'cert', KEY: 'other' },
      /TLS_KEY_FILE: .*other\.key is not the key of the certificate in .*tls\.crt/,
    ],
    [
      'no file of CAs',
      { CERT: 'cert', KEY: 'key', CLIENT_CA: 'nowhere' },
      /TLS_CLIENT_CA_FILE: .*nowhere\.pem cannot be read: it does not exist/,
    ],
    [
      'CAs that are no PEM',
      { CERT: 'cert', KEY: 'key', CLIENT_CA: 'none' },
      /TLS_CLIENT_CA_FILE: .*none\.pem holds no certificate in PEM/,
    ],
  ];
  it.for([
    ...cases.map((row) => [...row, '', {}] as const),
    ...cases.slice(0, 6).map((row) => [...row, 'ADMIN_', {}] as const),
    ...cases.slice(0, 1).map((row) => [...row, '', { WORKERS: '2' }] as const),
  ])(
    '%s: a sentence about the file, and exit code 5 (%#)',
    async ([_case, given, says, prefix, more], { expect }) => {
      const named = Object.entries(given).map(([name, path]) => [
        `${prefix}TLS_${name}_FILE`,
        paths[path ?? 'none'],
      ]);
      const env = {
        ADMIN_TOKEN: adminToken,
        ...used.env,
        TLS_PORT: '0',
        ...Object.fromEntries(named),
        ...more,
      };
      const { code, words } = await refusedStart(env);
      expect(words).toMatch(new RegExp(`^Holdfast did not start\\.\n${prefix}${says.source}.*\n$`));
      expect(code).toBe(5);
      const checked = await runCommandHere(folder, ['validate-config'], { env });
      expect([checked.code, checked.stdout]).toEqual([5, '']);
      expect(checked.stderr).toMatch(says);
    },
  );
  it('a certificate that has ended: the start warns, with the date', async ({ expect }) => {
    const old = await certificate({
      notBefore: Date.UTC(2020, 0, 1),
      notAfter: Date.UTC(2020, 1, 3),
    });
    const server = await startProcess(
      {
        ...used.env,
        TLS_PORT: '0',
        TLS_CERT_FILE: file('old.crt', old.pem),
        TLS_KEY_FILE: file('old.key', old.keyPem),
      },
      await freeAddress(),
    );
    expect(server.output()).toMatch(
      /"level":40,.*TLS_CERT_FILE: the certificate in \S*old\.crt ended on 2020-02-03/,
    );
    await server.end('SIGTERM');
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
  it('stops the start with a sentence', async () => {
    const { code, words } = await refusedStart({ ISSUER: 'http://as.example.com' });
    expect([code, words]).toEqual([
      5,
      expect.stringMatching(
        /^Holdfast did not start\.\nThe environment has faults:\n {2}- ISSUER must be https/,
      ),
    ]);
  });
});

describe.concurrent('a fault of CONFIG_FILE', () => {
  it.for(['1', '2'])(
    'ends the start with 5 where %s processes serve',
    async (workers, { expect }) => {
      const file = join(folder, `holdfast-${workers}.yaml`);
      writeFileSync(file, 'clients: [{ client_id: a, scoop: read }]');
      expect(await refusedStart({ ...used.env, WORKERS: workers, CONFIG_FILE: file })).toEqual({
        code: 5,
        words: expect.stringContaining('Holdfast did not start.'),
      });
    },
  );
});

describe.concurrent('a CONFIG_FILE that the database is too busy for', () => {
  it('ends the start with 1, for the next one may be better', { timeout: 90_000 }, async ({
    expect,
  }) => {
    const store = await onSqlite.make();
    const env = { ...store.env, ADMIN_TOKEN: adminToken };
    await (await startProcess(env, await freeAddress())).end('SIGTERM');
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'resource_servers: [{ audience: "https://api.example" }]');
    const other = new SqliteDatabase((store.env['DATABASE_URL'] ?? '').slice(5));
    other.exec('begin immediate');
    expect(await refusedStart({ ...env, CONFIG_FILE: file })).toEqual({
      code: 1,
      words: expect.stringMatching(/^Holdfast did not start\.\ndatabase is unavailable/),
    });
    other.close();
    await store.remove();
  });
});

describe.concurrent.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'the key-encryption key on $name',
  { timeout: 90_000 },
  (kind) => {
    it('wrong, missing or malformed: a sentence that says what to do, and nothing is overwritten', async ({
      expect,
    }) => {
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
      expect(await refusedStart(env)).toEqual({
        code: 1,
        words: expect.stringMatching(/key-encryption key .* is missing\. Restore that file/),
      });
      expect(existsSync(key)).toBe(false);
      writeFileSync(key, 'truncated');
      expect((await refusedStart(env)).words).toMatch(/is not base64url of 32 bytes/);
      expect(readFileSync(key, 'utf8')).toBe('truncated');
      writeFileSync(key, Buffer.alloc(32, 1).toString('base64url'));
      expect((await refusedStart(env)).words).toMatch(/was not sealed by this key-encryption key/);
      writeFileSync(key, right);
      const again = await startProcess(env, await freeAddress());
      expect(await (await fetch(`${again.url}/jwks`)).text()).toBe(jwks);
      await again.end('SIGTERM');
      await store.remove();
    });
  },
);

describe.concurrent('migrations', { timeout: 60_000 }, () => {
  it('one that was begun and not finished, or that a newer version made: a sentence, and nothing is changed', async ({
    expect,
  }) => {
    const url = `file:${join(folder, 'migrations.db')}`;
    const first = await startProcess({ DATABASE_URL: url }, await freeAddress());
    await first.end('SIGTERM');
    const run = async (sql: string) => {
      const connection = await new PrismaLibSql({ url }).connect();
      await connection.executeScript(sql);
      await connection.dispose();
    };
    await run("update _prisma_migrations set finished_at = null where migration_name like '%init'");
    expect((await refusedStart({ DATABASE_URL: url })).words).toMatch(
      /was begun and not finished: restore the database/,
    );
    await run(
      "update _prisma_migrations set finished_at = started_at, migration_name = '99990101000000_newer' where finished_at is null",
    );
    expect((await refusedStart({ DATABASE_URL: url })).words).toMatch(
      /does not know \(99990101000000_newer\): start the newer version/,
    );
  });
});

describe.concurrent('a stop by SIGTERM', { timeout: 90_000 }, () => {
  it('fails readiness first, finishes, and exits with 0; a second start keeps everything and shows no token', async ({
    expect,
  }) => {
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

describe.concurrent('the log', () => {
  it('whose reader is gone does not keep the process from its end', {
    timeout: 30_000,
  }, async ({ expect }) => {
    const process = await startProcess({ ...used.env, LOG_LEVEL: 'info' }, await freeAddress());
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
