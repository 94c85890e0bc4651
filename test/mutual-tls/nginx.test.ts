import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import {
  adapted,
  blocksOf,
  type FrontDoor,
  openFrontDoor,
  type Place,
  proxyAddress,
} from '../support/front-door.ts';
import { frontDoorRules, selfSignedRules } from '../support/front-door-rules.ts';
import { needs } from '../support/left-out.ts';

const absent = !needs.nginx.isHere();

function nginx({ folder, file, port, upstream, own, ca }: Place): readonly [string, ...string[]] {
  const block = adapted(blocksOf('nginx.md', 'nginx')[0] ?? '', [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['/etc/nginx/tls.crt', file('tls.crt', own.pem)],
    ['/etc/nginx/tls.key', file('tls.key', own.keyPem)],
    ['/etc/nginx/clients-ca.crt', file('clients-ca.crt', ca.pem)],
    [
      'proxy_pass http://holdfast:8080;',
      `proxy_pass http://${upstream}; proxy_bind ${proxyAddress};`,
    ],
  ]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join(' ');
  const configuration = `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {} http { access_log off; ${temporary} ${block} }`;
  mkdirSync(join(folder, 'logs'), { recursive: true });
  return ['nginx', '-p', folder, '-c', file('nginx.conf', configuration), '-e', 'stderr'];
}

describe.skipIf(absent)('RFC 8705 behind a real nginx, configured as its page says', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor({ form: 'nginx', command: nginx });
  });
  afterAll(async () => door.close());
  frontDoorRules(() => door);
  selfSignedRules(() => door);
});
