import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request } from 'node:http';
import { createServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import SqliteDatabase from 'libsql';
import { afterEach, describe, expect, it } from 'vitest';
import { findings } from '../../src/cli/doctor/doctor.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { auditReceiver } from '../support/audit-receiver.ts';
import { certificate } from '../support/certificates.ts';
import { runCommand, runCommandHere } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { freePort } from '../support/ports.ts';
import { onPostgresql } from '../support/postgresql.ts';
import { redisServer } from '../support/redis-server.ts';
import { scratchFolder } from '../support/scratch.ts';
import { testServer } from '../support/server.ts';
import { onPostgresqlServer, onSqlite, type TestStoreKind } from '../support/stores.ts';

type Env = Readonly<Record<string, string>>;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function folder(): string {
  const path = scratchFolder();
  ends.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A server with the clock of the machine, and the environment that the doctor reads as well. */
async function serve(more: Env = {}, kind: TestStoreKind = onSqlite) {
  const port = String(await freePort());
  const store = await kind.make();
  ends.push(store.remove);
  const env: Env = {
    ...store.env,
    HOST: '127.0.0.1',
    PORT: port,
    ISSUER: `http://localhost:${port}`,
    ...more,
  };
  const clock = { now: Date.now() };
  const server = await testServer({ env, store, clock, databaseClock: 'real' });
  let runs = true;
  const stop = async () => {
    if (runs) await server.stop();
    runs = false;
  };
  ends.push(stop);
  return { env, server, stop, file: (env['DATABASE_URL'] ?? '').replace('file:', '') };
}

const examine = async (env: Env, clock: () => number = Date.now) => findings({ env, clock }, {});

/** The doctor beside a server, with these TLS files; undefined: there is none. */
async function examineTls(prefix: string, cert: string, key: string | undefined) {
  const at = folder();
  const [certFile, keyFile] = [join(at, 'cert.pem'), join(at, 'key.pem')];
  writeFileSync(certFile, cert);
  if (key !== undefined) writeFileSync(keyFile, key, { mode: 0o600 });
  return examine({
    ...(await serve()).env,
    TLS_PORT: '0',
    [`${prefix}TLS_CERT_FILE`]: certFile,
    [`${prefix}TLS_KEY_FILE`]: keyFile,
  });
}

/** The doctor for a server that does not run, with another program at one of its ports. */
async function examineBeside(other: TcpServer, variable = 'PORT') {
  const { env, stop } = await serve();
  await stop();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  ends.push(() => other.close());
  const { port } = other.address() as AddressInfo;
  return examine({ ...env, [variable]: String(port) });
}

/** The doctor as a process in a mount namespace of its own, where a script comes first. */
function examineAfter(script: string, file: string): readonly Finding[] {
  const launcher = join(import.meta.dirname, '../../bin/holdfast.js');
  const doctor = [process.execPath, launcher, 'doctor', '--json'];
  const whole = `cd "$1"; shift; ${script}; exec "$@" || true`;
  const args = ['-m', 'sh', '-euc', `(${whole}) || true`, 'sh', dirname(file), ...doctor];
  const env = { PATH: process.env['PATH'], DATABASE_URL: `file:${file}` };
  return JSON.parse(execFileSync('unshare', args, { env, encoding: 'utf8' })) as readonly Finding[];
}

/** A front door that speaks TLS and asks for certificates; whether it hands one on. */
async function frontDoor(field: 'set' | 'dropped' | 'from anybody', host = 'localhost') {
  const own = await certificate({
    names: [{ type: 'dns', value: 'localhost' }],
    notBefore: Date.now() - 1000,
  });
  const upstream = await freePort();
  const door = createServer(
    { key: own.keyPem, cert: own.pem, requestCert: true, rejectUnauthorized: false },
    (incoming, answer) => {
      const { 'client-cert': made, ...headers } = incoming.headers;
      const der = (incoming.socket as import('node:tls').TLSSocket).getPeerX509Certificate()?.raw;
      const shown = der && `:${der.toString('base64')}:`;
      const value =
        field === 'set' ? shown : field === 'from anybody' ? (shown ?? made) : undefined;
      incoming.pipe(
        request(
          {
            host: '127.0.0.1',
            port: upstream,
            path: incoming.url,
            method: incoming.method,
            headers: { ...headers, ...(value !== undefined && { 'client-cert': value }) },
          },
          (response) => {
            answer.writeHead(response.statusCode ?? 0, response.headers);
            response.pipe(answer);
          },
        ),
      );
    },
  ).listen(0, '0.0.0.0');
  await once(door, 'listening');
  ends.push(() => door.close());
  const { port } = door.address() as AddressInfo;
  return serve({
    ISSUER: `https://${host}:${port}`,
    PORT: String(upstream),
    TRUSTED_PROXIES: '127.0.0.1/32',
    CLIENT_CERTIFICATE_HEADER: 'rfc9440',
  });
}

/** The certificate of the test is not one that this machine trusts, which is another check. */
const butChain = ['TLS chain'];

interface Sabotage {
  readonly sabotage: string;
  readonly named: string;
  readonly found: RegExp;
  /** Other checks that fail for the same reason. */
  readonly besides?: readonly string[];
  readonly needs?: keyof typeof needs;
  readonly examined: () => Promise<readonly Finding[]>;
}

const sabotages: readonly Sabotage[] = [
  {
    sabotage: 'a wrong clock, where the front door is another machine',
    named: 'clock against ISSUER',
    // Less by what the answer took, more by what its Date lacks.
    found: /^this machine is (59\d|600|601)\.\d s ahead$/,
    besides: ['TLS chain'],
    examined: async () =>
      examine((await frontDoor('set', '127.0.0.2')).env, () => Date.now() + 600_500),
  },
  {
    sabotage: 'a wrong clock, where the database is another machine',
    named: 'clock against the database',
    found: /ahead/,
    needs: 'postgresql',
    examined: async () =>
      examine((await serve({}, onPostgresqlServer)).env, () => Date.now() + 600_000),
  },
  {
    sabotage: 'a full disk',
    named: 'disk space',
    found: /^0 MiB free/,
    besides: ['database', 'replay records'],
    needs: 'mountNamespace',
    async examined() {
      const { file, stop } = await serve();
      await stop();
      const fill =
        'd=$(mktemp -d); cp -a . $d; mount -t tmpfs -o size=16m none "$PWD"; cd "$PWD"; cp -a $d/. .; rm -r $d; cat /dev/zero >filler 2>/dev/null || true';
      return examineAfter(fill, file);
    },
  },
  {
    sabotage: 'a read-only database (SQLite)',
    named: 'database file',
    found: /cannot be written: the disk is read-only$/,
    besides: ['database', 'replay records'],
    needs: 'mountNamespace',
    async examined() {
      const { file, stop } = await serve();
      await stop();
      return examineAfter('mount --bind . .; mount -o remount,ro,bind "$PWD"', file);
    },
  },
  {
    sabotage: 'a read-only database (PostgreSQL)',
    named: 'database',
    found: /read-only/,
    besides: ['replay records'],
    needs: 'postgresql',
    async examined() {
      const { env } = await serve({}, onPostgresqlServer);
      const name = new URL(env['DATABASE_URL'] ?? '').pathname.slice(1);
      await onPostgresql(`alter database ${name} set default_transaction_read_only = on`);
      return examine(env);
    },
  },
  {
    sabotage: 'a PostgreSQL that is not there',
    named: 'database',
    found: /^the database own at 127\.0\.0\.1 port 1: [a-z][^()]+\(DatabaseNotReachable\)$/,
    examined: async () =>
      examine({
        ...(await serve()).env,
        DATABASE_URL: 'postgresql://user:geheim@127.0.0.1:1/own',
      }),
  },
  {
    sabotage: 'a Redis that is not there',
    named: 'Redis',
    found: /^127\.0\.0\.1:1: ECONNREFUSED$/,
    examined: async () =>
      examine({ ...(await serve()).env, REDIS_URL: 'redis://user:geheim@127.0.0.1:1' }),
  },
  {
    sabotage: 'a Redis that answers nothing',
    named: 'Redis',
    found: /^127\.0\.0\.1:\d+: (no answer in time|Command timed out)$/,
    async examined() {
      const silent = createTcpServer((socket) => socket.resume()).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      ends.push(() => silent.close());
      const { port } = silent.address() as AddressInfo;
      return examine({ ...(await serve()).env, REDIS_URL: `redis://127.0.0.1:${port}` });
    },
  },
  {
    sabotage: 'an evicting Redis',
    named: 'Redis eviction',
    found: /maxmemory-policy allkeys-lru/,
    needs: 'redis',
    async examined() {
      const options = ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'];
      const redis = await redisServer(...options);
      ends.push(redis.remove);
      return examine((await serve({ REDIS_URL: redis.url })).env);
    },
  },
  {
    sabotage: 'a missing key-encryption key',
    named: 'key-encryption key',
    found: /is missing/,
    async examined() {
      const { env, file } = await serve();
      rmSync(file.replace(/\.db$/, '.key-encryption-key'));
      return examine(env);
    },
  },
  {
    sabotage: 'an expired certificate',
    named: 'TLS_CERT_FILE',
    found: /^ended 2 days ago$/,
    besides: ['TLS chain'],
    async examined() {
      const [port, at] = [String(await freePort()), folder()];
      const day = 86_400_000;
      const old = await certificate({
        names: [{ type: 'dns', value: 'localhost' }],
        notBefore: Date.now() - 90 * day,
        notAfter: Date.now() - 1.5 * day,
      });
      writeFileSync(join(at, 'cert.pem'), old.pem);
      writeFileSync(join(at, 'key.pem'), old.keyPem, { mode: 0o600 });
      const { env } = await serve({
        ISSUER: `https://localhost:${port}`,
        TLS_PORT: port,
        TLS_CERT_FILE: join(at, 'cert.pem'),
        TLS_KEY_FILE: join(at, 'key.pem'),
      });
      return examine(env);
    },
  },
  {
    sabotage: 'the TLS key of another certificate',
    named: 'TLS_KEY_FILE',
    found: /key\.pem is not the key of the certificate in .*cert\.pem$/,
    async examined() {
      const [own, other] = [await certificate(), await certificate()];
      return examineTls('', own.pem, other.keyPem);
    },
  },
  {
    sabotage: 'a TLS key that is not there',
    named: 'ADMIN_TLS_KEY_FILE',
    found: /key\.pem cannot be read: it does not exist$/,
    examined: async () => examineTls('ADMIN_', (await certificate()).pem, undefined),
  },
  {
    sabotage: 'a TLS key that is no PEM',
    named: 'TLS_KEY_FILE',
    found: /key\.pem holds no private key in PEM form$/,
    examined: async () => examineTls('', (await certificate()).pem, 'no PEM'),
  },
  {
    sabotage: 'a certificate that is no PEM',
    named: 'ADMIN_TLS_CERT_FILE',
    found: /cert\.pem holds no certificate in PEM form$/,
    examined: async () => examineTls('ADMIN_', 'no PEM', (await certificate()).keyPem),
  },
  {
    sabotage: 'a file of CAs that is not there',
    named: 'TLS_CLIENT_CA_FILE',
    found: /cannot be read: it does not exist$/,
    examined: async () => examine({ ...(await serve()).env, TLS_CLIENT_CA_FILE: '/nowhere.pem' }),
  },
  {
    sabotage: 'a proxy that drops the certificate field',
    named: 'client certificate',
    found: /drops it/,
    besides: butChain,
    examined: async () => examine((await frontDoor('dropped')).env),
  },
  {
    sabotage: 'a proxy that lets clients send the certificate field',
    named: 'certificate field',
    found: /a client made up/,
    besides: butChain,
    examined: async () => examine((await frontDoor('from anybody')).env),
  },
  {
    sabotage: 'an issuer that resolves elsewhere',
    named: 'issuer',
    found: /another server is at http:\/\/localhost:\d+/,
    async examined() {
      const other = await serve();
      const { env } = await serve({ ISSUER: other.env['ISSUER'] ?? '' });
      return examine(env);
    },
  },
  {
    sabotage: 'another HTTP server at PORT',
    named: 'listeners',
    found: /^another program answers at 127\.0\.0\.1 port \d+ \(PORT\)$/,
    examined: async () =>
      examineBeside(createHttpServer((_request, answer) => answer.writeHead(404).end())),
  },
  {
    sabotage: 'a program at PORT that answers nothing',
    named: 'listeners',
    found:
      /^something listens at 127\.0\.0\.1 port \d+ \(PORT\), and does not answer like Holdfast$/,
    examined: async () => examineBeside(createTcpServer()),
  },
  {
    sabotage: 'another program at ADMIN_PORT',
    named: 'listeners',
    found: /^another program listens at 127\.0\.0\.1 port \d+ \(ADMIN_PORT\)$/,
    examined: async () => examineBeside(createTcpServer(), 'ADMIN_PORT'),
  },
  {
    sabotage: 'a HOST that nobody knows',
    named: 'listeners',
    found: /^no address is known for no\.such\.host\.invalid \(HOST\)$/,
    async examined() {
      const { env, stop } = await serve();
      await stop();
      return examine({ ...env, HOST: 'no.such.host.invalid' });
    },
  },
  {
    sabotage: 'a server at PORT that is another issuer',
    named: 'issuer',
    found: /^the server at http:\/\/127\.0\.0\.1:\d+ is the issuer http:\S+, not http:\S+:1$/,
    examined: async () => examine({ ...(await serve()).env, ISSUER: 'http://localhost:1' }),
  },
  {
    sabotage: 'a pending migration',
    named: 'migrations',
    found: /^pending: \d+_\w+$/,
    async examined() {
      const { env, file } = await serve();
      const database = new SqliteDatabase(file);
      database.exec(
        'delete from _prisma_migrations where migration_name = (select max(migration_name) from _prisma_migrations)',
      );
      database.close();
      return examine(env);
    },
  },
  {
    sabotage: 'a key file that everybody can read',
    named: 'file modes',
    found: /key-encryption-key has the mode 644/,
    async examined() {
      const { env, file } = await serve();
      chmodSync(file.replace(/\.db$/, '.key-encryption-key'), 0o644);
      return examine(env);
    },
  },
  {
    sabotage: 'a key file that the group can read',
    named: 'file modes',
    found: /key-encryption-key has the mode 640$/,
    async examined() {
      const { env, file } = await serve();
      chmodSync(file.replace(/\.db$/, '.key-encryption-key'), 0o640);
      return examine(env);
    },
  },
  {
    sabotage: 'a data folder that the group can write to',
    named: 'folder modes',
    found: /has the mode 770$/,
    async examined() {
      const { env, file } = await serve();
      chmodSync(dirname(file), 0o770);
      return examine(env);
    },
  },
  {
    sabotage: 'a log of the database that cannot be written',
    named: 'database file',
    found: /\.db-wal cannot be written: the disk is read-only$/,
    besides: ['database', 'replay records'],
    needs: 'mountNamespace',
    async examined() {
      const { file, stop } = await serve();
      await stop();
      const wal = `${file}-wal`;
      return examineAfter(
        `: >>"${wal}"; chmod 600 "${wal}"; mount --bind "${wal}" "${wal}"; mount -o remount,ro,bind "${wal}"`,
        file,
      );
    },
  },
  {
    sabotage: 'a log of the database that everybody can read',
    named: 'file modes',
    found: /\.db-wal has the mode 666/,
    async examined() {
      const { env, file } = await serve();
      chmodSync(`${file}-wal`, 0o666);
      return examine(env);
    },
  },
  {
    sabotage: 'a data folder that everybody can write to',
    named: 'folder modes',
    found: /has the mode 777$/,
    async examined() {
      const { env, file } = await serve();
      chmodSync(dirname(file), 0o777);
      return examine(env);
    },
  },
  {
    sabotage: 'an audit sink that everybody can read',
    named: 'file modes',
    found: /audit\.jsonl has the mode 644$/,
    async examined() {
      const file = join(folder(), 'audit.jsonl');
      writeFileSync(file, '');
      chmodSync(file, 0o644);
      return examine({ ...(await serve()).env, AUDIT_SINK: `file:${file}` });
    },
  },
  {
    sabotage: 'a secret of CONFIG_FILE that everybody can read',
    named: 'file modes',
    found: /secret has the mode 644$/,
    async examined() {
      const at = folder();
      writeFileSync(join(at, 'secret'), 's'.repeat(32));
      chmodSync(join(at, 'secret'), 0o644);
      const declared = 'clients: [{ client_id: a, client_secret: { file: secret } }]';
      writeFileSync(join(at, 'holdfast.yaml'), declared);
      return examine({ ...(await serve()).env, CONFIG_FILE: join(at, 'holdfast.yaml') });
    },
  },
  {
    sabotage: 'an audit file in a folder that is not there',
    named: 'audit sink',
    found: /cannot be written \(ENOENT/,
    async examined() {
      const { env } = await serve();
      return examine({ ...env, AUDIT_SINK: `file:${join(folder(), 'no', 'audit.jsonl')}` });
    },
  },
  {
    sabotage: 'an audit file that is a folder',
    named: 'audit sink',
    found: /must be a regular file/,
    async examined() {
      const path = join(folder(), 'audit.jsonl');
      mkdirSync(path, { mode: 0o700 });
      return examine({ ...(await serve()).env, AUDIT_SINK: `file:${path}` });
    },
  },
  {
    sabotage: 'an audit webhook at a private address',
    named: 'audit sink',
    found: /^https:\/\/127\.0\.0\.1 cannot be reached \(address_not_allowed\)$/,
    async examined() {
      const { env } = await serve();
      const AUDIT_SINK = 'https://127.0.0.1/hook?key=secret';
      return examine({ ...env, AUDIT_SINK, AUDIT_WEBHOOK_SECRET: 'w'.repeat(32) });
    },
  },
];

describe('holdfast doctor names each sabotage', () => {
  it.for(sabotages)('$sabotage', async (row, { skip }) => {
    const need = row.needs && needs[row.needs];
    if (need !== undefined && !need.isHere(process.env)) skip(need.how);
    const faults = (await row.examined()).filter(({ result }) => result === 'fault');
    expect(faults).toContainEqual({
      check: row.named,
      result: 'fault',
      expected: expect.any(String),
      found: expect.stringMatching(row.found),
      mend: expect.any(String),
      page: expect.stringMatching(/^docs\/.*\.md$/),
    });
    const allowed = [row.named, ...(row.besides ?? [])];
    expect(allowed).toEqual(expect.arrayContaining(faults.map(({ check }) => check)));
  });
});

describe('holdfast doctor', () => {
  it.each([onSqlite, ...(needs.postgresql.isHere(process.env) ? [onPostgresqlServer] : [])])(
    'finds nothing wrong beside a healthy server on $name, and changes nothing',
    async (kind) => {
      const { env, server } = await serve({}, kind);
      const before = await server.admin('GET', 'audit-events?limit=200');
      const found = await examine(env);
      const others = found.filter(({ result }) => result !== 'ok');
      expect(others.map(({ check, result }) => `${result} ${check}`)).toEqual(
        kind === onSqlite ? ['unknown clock against the database'] : [],
      );
      expect(found.map(({ check }) => check)).toEqual(
        expect.arrayContaining(['issuer', 'migrations', 'key-encryption key', 'next rotation']),
      );
      expect((await server.admin('GET', 'audit-events?limit=200')).body).toEqual(before.body);
    },
  );

  it('names the time at which an announced key takes over', async () => {
    const { env, server } = await serve();
    const { body } = await server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' });
    const found = (await examine(env)).find(({ check }) => check === 'next rotation');
    const at = `${new Date(body.active_at).toISOString().slice(0, 16)}Z`;
    expect(found).toMatchObject({ result: 'ok', found: `${at}, by an announced key` });
  });

  it('says what it found in whole sentences', async () => {
    const { env } = await serve();
    const found = new Map((await examine(env)).map((finding) => [finding.check, finding.found]));
    expect(found.get('database')).toBe('it answers');
    expect(found.get('file modes')).toMatch(/^nobody else can read the \d files$/);
    expect(found.get('folder modes')).toBe('nobody else can write to the folder');
    expect(found.get('key-encryption key')).toMatch(/^all \d+ opened$/);
    const empty = await examine({ DATABASE_URL: `file:${join(folder(), 'none', 'x.db')}` });
    const modes = empty.filter(({ check }) => check.endsWith('modes'));
    expect(modes.map((finding) => finding.found)).toEqual([
      'there is no such file yet',
      'there is no such folder yet',
    ]);
  });

  it('takes an audit file that the group of a log collector may read', async () => {
    const file = join(folder(), 'audit.jsonl');
    writeFileSync(file, '');
    chmodSync(file, 0o640);
    const found = await examine({ ...(await serve()).env, AUDIT_SINK: `file:${file}` });
    expect(found.filter(({ result }) => result === 'fault')).toEqual([]);
  });

  it('waits for a write of the server that is under way (SQLite), and holds nobody up', async () => {
    const { env, file } = await serve();
    const database = new SqliteDatabase(file);
    database.exec('begin immediate');
    // The write ends in this process: a doctor that blocked it would wait in vain.
    const ended = sleep(600).then(() => database.exec('rollback'));
    const found = await examine(env);
    expect(found.filter(({ result }) => result === 'fault')).toEqual([]);
    await ended;
    database.close();
  });

  it('asks an audit webhook, and tells its origin only', async () => {
    const receiver = await auditReceiver();
    ends.push(receiver.close);
    const found = examine({ ...(await serve()).env, ...receiver.env });
    // It counts as reached whatever it answers.
    (await receiver.next()).answer.writeHead(405).end();
    const { origin } = new URL(receiver.env['AUDIT_SINK'] ?? '');
    expect((await found).find(({ check }) => check === 'audit sink')).toMatchObject({
      result: 'ok',
      found: `${origin} answers (GET: 405)`,
    });
  });

  it('sees a certificate arrive by a proxy that sets the field', async () => {
    const found = await examine((await frontDoor('set')).env);
    const named = found.filter(({ check }) => /certificate/.test(check));
    expect(named.map(({ check, result }) => [check, result])).toEqual([
      ['client certificate', 'ok'],
      ['certificate field', 'ok'],
    ]);
  });

  it('works before the first start, and makes no file', async () => {
    const at = folder();
    const doctor = ['doctor', '--data-directory', join(at, 'new')];
    const { code, stdout } = await runCommand(at, [...doctor, '--before-first-start']);
    expect(stdout).toMatch(
      /^unknown {2}database: there is none at \S+new\/holdfast\.db; --data-directory or .*$/m,
    );
    expect(code).toBe(0);
    expect(() => chmodSync(join(at, 'new'), 0o700)).toThrow('ENOENT');
  });

  it('says which server it means, and finds a fault where that has no database', async () => {
    const at = folder();
    const { code, stdout } = await runCommand(at, ['doctor']);
    const [first] = stdout.split('\n');
    const database = join(at, 'data/holdfast/holdfast.db');
    expect(first).toBe(`ok       server: http://localhost:8080, with ${database}`);
    expect(stdout).toMatch(
      /^fault {4}database: there is none at \S+holdfast\.db; --data-directory /m,
    );
    expect(code).toBe(6);
    const url = 'postgresql://user:geheim@127.0.0.1:1/name?schema=own';
    const [server] = await findings({ env: { DATABASE_URL: url }, clock: Date.now }, {});
    expect(server?.found).toMatch(/PostgreSQL at 127\.0\.0\.1:1\/name$/);
  });

  it('exits with 6, and says how to mend a fault', async () => {
    const at = folder();
    writeFileSync(join(at, 'token'), 'a'.repeat(40), { mode: 0o644 });
    const env = { ADMIN_TOKEN_FILE: join(at, 'token'), DATABASE_URL: `file:${join(at, 'x.db')}` };
    const { code, stdout } = await runCommand(at, ['doctor'], { env });
    expect(code).toBe(6);
    expect(stdout).toMatch(/^fault {4}file modes: .*\n +expected: .*\n +to mend: chmod 600/m);
  });
});

describe('holdfast validate-config', () => {
  const declared = `clients:\n  - client_id: a\n    client_secret: \${NONE}\n    scoop: read\n`;
  const naming = `clients:
  - client_id: a
    jwks_uri: https://a.example.com/jwks
    resources: [https://x.example.com, urn:holdfast:admin]
    alt_cnf_holders: [b]
trusted_issuers:
  - issuer: https://i.example.com
    purposes: [workload]
    rules: [{ claims: { sub: x }, client_id: b }, { claims: { sub: y }, client_id: a }]
authorization_servers:
  - issuer: https://o.example.com
    clients: [{ client_id: b, remote_client_id: b }]
pairings:
  - requester: a
    holder: c
`;
  it.each([
    ['nothing is set', {}, undefined, 0, /^$/],
    ['two faults', { PORT: 'x', ISSUER: 'y' }, undefined, 5, /PORT must.*\n.*|ISSUER must/],
    ['a file with two faults', {}, declared, 5, /:3:5 .*NONE is not set\n.*:4:5 .*scoop/],
    [
      'a file that names what it does not declare',
      {},
      naming,
      0,
      /^warning: .*:2:5 clients\[0\]\.client_secret: there is none.*\nwarning: .*holdfast\.yaml:4:17 clients\[0\]\.resources\[0\]: the resource server https:\/\/x\.example\.com is not declared here.*\n.*:5:23 clients\[0\]\.alt_cnf_holders\[0\]: the client b is.*\n.*:9:35 trusted_issuers\[0\]\.rules\[0\]\.client_id: .*\n.*:12:17 authorization_servers\[0\]\.clients\[0\]\.client_id: .*\n.*:15:5 pairings\[0\]\.holder: the client c is not declared here: it must exist at the server\n$/,
    ],
    [
      'no folder for audit events',
      { AUDIT_SINK: 'file:/no/a' },
      undefined,
      5,
      /AUDIT_SINK .*ENOENT/,
    ],
    ['a file that is none', { CONFIG_FILE: '/nowhere' }, undefined, 5, /cannot be read/],
    [
      'faults of the environment and of the file',
      { PORT: 'abc', AUDIT_SINK: 'file:/no/a' },
      declared,
      5,
      /PORT must.*\nCONFIG_FILE has faults:\n.*:3:5 .*NONE is not set\n.*scoop.*\nAUDIT_SINK .*ENOENT/,
    ],
  ])('%s', async (_case, env, file, code, said) => {
    const at = folder();
    if (file !== undefined) writeFileSync(join(at, 'holdfast.yaml'), file);
    const more = file === undefined ? {} : { CONFIG_FILE: join(at, 'holdfast.yaml') };
    const run = await runCommandHere(at, ['validate-config'], { env: { ...env, ...more } });
    expect(run.stderr).toMatch(said);
    expect(run.code).toBe(code);
  });

  it('--json lists every fault with "valid": false, and answers 5', async () => {
    const at = folder();
    const file = join(at, 'holdfast.yaml');
    writeFileSync(file, declared);
    const env = { PORT: 'abc', CONFIG_FILE: file, ISUER: 'x' };
    const { code, stdout } = await runCommandHere(at, ['validate-config', '--json'], { env });
    expect([code, JSON.parse(stdout)]).toEqual([
      5,
      {
        valid: false,
        faults: [
          expect.stringMatching(/^PORT must be a whole number/),
          `${file}:3:5 clients[0].client_secret: the variable NONE is not set`,
          expect.stringContaining(':4:5 clients[0].scoop: the member is unknown'),
        ],
        warnings: [expect.stringContaining('ISUER')],
      },
    ]);
    const valid = await runCommandHere(at, ['validate-config', '--json'], { env: {} });
    const nothing = { valid: true, faults: [], warnings: [] };
    expect([valid.code, JSON.parse(valid.stdout)]).toEqual([0, nothing]);
  });
});
