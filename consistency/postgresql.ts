import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type ManagedProcess, managedProcess } from './managed-process.ts';

/** A PostgreSQL in its own folder; `kill` forces crash recovery at the next start. */
export function postgresql(
  folder: string,
  port: number,
): { readonly server: ManagedProcess; readonly url: string } {
  const bin = binaries();
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined;
  const data = join(folder, 'data');
  mkdirSync(folder, { recursive: true });
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'], {
    ...user,
    stdio: 'ignore',
    cwd: folder,
  });
  const log = join(folder, 'log');
  const output = openSync(log, 'a');
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'shared_buffers=64MB',
  ];
  const server = managedProcess({
    name: 'postgresql',
    spawn: () =>
      spawn(
        join(bin, 'postgres'),
        ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
        {
          ...user,
          cwd: folder,
          stdio: ['ignore', output, output],
        },
      ),
    ready: async () =>
      spawnSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]).status ===
      0,
    log,
    killSignal: 'SIGQUIT',
  });
  return { server, url: `postgresql://postgres@127.0.0.1:${port}/postgres` };
}

/** Debian does not put the PostgreSQL programs on the path. */
function binaries(): string {
  const versions = '/usr/lib/postgresql';
  const debian = existsSync(versions)
    ? readdirSync(versions).map((version) => join(versions, version, 'bin'))
    : [];
  const found = [...debian, ...(process.env['PATH'] ?? '').split(delimiter)].find((folder) =>
    existsSync(join(folder, 'initdb')),
  );
  if (found === undefined) throw new Error('initdb is missing: apt-get install postgresql');
  return found;
}

function idOf(kind: '-u' | '-g'): number {
  return Number(execFileSync('id', [kind, 'postgres']).toString());
}
