import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { freePort } from './ports.ts';

/** A PgBouncer of the test's own. */
export interface PgBouncer {
  /** The same database, by way of it. */
  through(databaseUrl: string): string;
  end(): Promise<void>;
}

/** Starts one that gives each transaction whichever of `poolSize` connections is free, before the server that the URL names. */
export async function pgbouncer(databaseUrl: string, poolSize: number): Promise<PgBouncer> {
  const { hostname, port, username, password } = new URL(databaseUrl);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-pgbouncer-'));
  const own = await freePort();
  const login = `user=${username}${password === '' ? '' : ` password=${password}`}`;
  writeFileSync(
    join(folder, 'ini'),
    `[databases]
* = host=${hostname} port=${port || '5432'} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
ignore_startup_parameters = statement_timeout
`,
  );
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined;
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const child = spawn('pgbouncer', ['-q', join(folder, 'ini')], { ...user, stdio: 'ignore' });
  const through = (url: string) =>
    Object.assign(new URL(url), { host: `127.0.0.1:${own}`, password: '' }).href;
  while (!(await answers(through(databaseUrl)))) {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`);
    await sleep(20);
  }
  return {
    through,
    async end() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const connection = await new PrismaPg({ connectionString: url }).connect();
    await connection.executeScript('select 1');
    await connection.dispose();
    return true;
  } catch {
    return false;
  }
}

function idOf(kind: '-u' | '-g'): number {
  return Number(execFileSync('id', [kind, 'postgres']).toString());
}
