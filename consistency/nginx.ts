import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ManagedProcess, managedProcess } from './managed-process.ts';

/** The header field that names the replicas that were tried. */
export const replicaField = 'x-replica';

/** A port of nginx and the ports of the replicas behind it. */
export interface FrontDoor {
  readonly port: number;
  readonly replicas: readonly number[];
}

/** An nginx that passes requests to the replicas in turn and retries none that may have arrived. */
export function nginx(folder: string, doors: readonly FrontDoor[]): ManagedProcess {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  const log = join(folder, 'error.log');
  writeFileSync(file, configuration(folder, doors));
  return managedProcess({
    name: 'nginx',
    spawn: () => {
      const child = spawn('nginx', ['-p', folder, '-c', file, '-e', log], { stdio: 'ignore' });
      child.on('error', () => process.stderr.write('nginx is missing: apt-get install nginx\n'));
      return child;
    },
    // Any answer will do, because the replicas start later.
    ready: async () => (await fetch(`http://127.0.0.1:${doors[0]?.port}/`)).status > 0,
    log,
    killSignal: 'SIGTERM',
  });
}

function configuration(folder: string, doors: readonly FrontDoor[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const servers = doors.map(({ port, replicas }, index) => {
    const upstream = replicas
      .map((replica) => `server 127.0.0.1:${replica} max_fails=1 fail_timeout=1s;`)
      .join(' ');
    return `
  upstream door${index} { ${upstream} }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://door${index};
      add_header ${replicaField} $upstream_addr always;
    }
  }`;
  });
  return `daemon off;
worker_processes 1;
pid ${join(folder, 'pid')};
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.join(' ')}
  proxy_connect_timeout 1s;
  proxy_read_timeout 3s;${servers.join('')}
}
`;
}
