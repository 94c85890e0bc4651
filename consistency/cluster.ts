import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/ports.ts';
import { adminToken, issuer } from '../test/support/server.ts';
import { type ManagedProcess, managedProcess } from './managed-process.ts';
import { nginx } from './nginx.ts';
import { postgresql } from './postgresql.ts';
import { redis } from './redis.ts';
import type { ReplicaMessage } from './replica.ts';

/** A process of the server. */
export interface Replica extends ManagedProcess {
  /** Address of its public listener, as nginx reports it. */
  readonly address: string;
  /** Sets its clock ahead by milliseconds, also after a restart. */
  moveClock(clockOffset: number): void;
}

/** Several replicas on PostgreSQL and Redis behind nginx. */
export interface Cluster {
  /** nginx in front of the public and the admin listeners. */
  readonly url: string;
  readonly adminUrl: string;
  readonly replicas: readonly Replica[];
  readonly database: ManagedProcess;
  readonly redis: ManagedProcess;
  /** Restarts Redis without its data. */
  redisForgets(): Promise<void>;
  /** Ends all processes and removes their files. */
  end(): Promise<void>;
}

/** `JWKS_MAX_AGE` of the replicas in seconds, short enough for announced keys to sign. */
export const jwksMaxAge = 5;

/** A deliberately broken replay store. */
export type BrokenReplay = 'always-first' | 'look-then-save';

/** Starts the cluster on free ports in a temporary folder. */
export async function startCluster(count: number, broken?: BrokenReplay): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-consistency-'));
  chmodSync(folder, 0o755);
  const database = postgresql(join(folder, 'postgresql'), await freePort());
  const records = redis(join(folder, 'redis'), await freePort());
  await Promise.all([database.server.start(), records.server.start()]);
  const ports = await Promise.all(
    Array.from({ length: count }, async () => ({
      port: await freePort(),
      adminPort: await freePort(),
    })),
  );
  const env = {
    PATH: process.env['PATH'],
    ISSUER: issuer,
    HOST: '127.0.0.1',
    DATABASE_URL: database.url,
    REDIS_URL: records.url,
    ADMIN_TOKEN: adminToken,
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64url'),
    JWKS_MAX_AGE: String(jwksMaxAge),
    LOG_LEVEL: 'warn',
    // Compiled once, as by src/main.ts: they are started often.
    NODE_COMPILE_CACHE: join(import.meta.dirname, '../node_modules/.cache/holdfast'),
    BROKEN_REPLAY: broken,
  };
  const replicas = ports.map(({ port, adminPort }, index) =>
    replica(
      `replica ${index + 1}`,
      { ...env, PORT: String(port), ADMIN_PORT: String(adminPort) },
      join(folder, `replica-${index + 1}.log`),
    ),
  );
  const [door, adminDoor] = [await freePort(), await freePort()];
  const front = nginx(join(folder, 'nginx'), [
    { port: door, replicas: ports.map(({ port }) => port) },
    { port: adminDoor, replicas: ports.map(({ adminPort }) => adminPort) },
  ]);
  await Promise.all([front.start(), ...replicas.map(async ({ start }) => start())]);
  return {
    url: `http://127.0.0.1:${door}`,
    adminUrl: `http://127.0.0.1:${adminDoor}/admin`,
    replicas,
    database: database.server,
    redis: records.server,
    async redisForgets() {
      await records.server.kill();
      records.forget();
      await records.server.start();
    },
    async end() {
      for (const { kill } of [front, ...replicas, records.server, database.server]) await kill();
      await sleep(100);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function replica(name: string, env: NodeJS.ProcessEnv, log: string): Replica {
  const address = `127.0.0.1:${env['PORT']}`;
  const output = openSync(log, 'a');
  let message: ReplicaMessage = { clockOffset: 0 };
  const managed = managedProcess({
    name,
    spawn: () => {
      const execArgv =
        env['BROKEN_REPLAY'] === undefined
          ? []
          : ['--import', join(import.meta.dirname, 'broken/replay.ts')];
      const child = fork(join(import.meta.dirname, 'replica.ts'), {
        env,
        execArgv,
        stdio: ['ignore', output, output, 'ipc'],
      });
      child.send(message);
      return child;
    },
    ready: async () =>
      (await fetch(`http://${address}/health/ready`, { signal: AbortSignal.timeout(2000) }))
        .status === 200,
    log,
  });
  return {
    ...managed,
    address,
    moveClock(clockOffset) {
      message = { clockOffset };
      const child = managed.child();
      if (child?.connected === true) child.send(message);
    },
  };
}
