import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type ManagedProcess, managedProcess } from './managed-process.ts';

/** A Redis that persists every write; `forget` deletes its data while it is stopped. */
export function redis(
  folder: string,
  port: number,
): { readonly server: ManagedProcess; readonly url: string; forget(): void } {
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'log');
  const output = openSync(log, 'a');
  const data = join(folder, 'data');
  mkdirSync(data);
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: data,
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
  };
  const server = managedProcess({
    name: 'redis',
    spawn: () =>
      spawn(
        'redis-server',
        Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
        { stdio: ['ignore', output, output] },
      ),
    ready: () => pong(port),
    log,
  });
  return {
    server,
    url: `redis://127.0.0.1:${port}`,
    forget() {
      rmSync(data, { recursive: true });
      mkdirSync(data);
    },
  };
}

async function pong(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('PING\r\n');
  const [answer] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as unknown[];
  socket.destroy();
  return String(answer).startsWith('+PONG');
}
