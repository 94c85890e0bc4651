import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import Fastify from 'fastify';
import pino from 'pino';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { tlsListener } from '../../src/http/listener/tls-listener.ts';
import { certificate, type TestCertificate } from '../support/certificates.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-renewal-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let old: TestCertificate;
let renewed: TestCertificate;
beforeAll(async () => {
  [old, renewed] = [
    await certificate({ subject: 'CN=old' }),
    await certificate({ subject: 'CN=new' }),
  ];
});

/** A folder of its own, and ways to fill it. */
function place() {
  const folder = mkdtempSync(join(root, 'layout-'));
  const at = (path: string) => join(folder, path);
  const write = (to: string, { pem, keyPem }: TestCertificate) => {
    mkdirSync(at(to), { recursive: true });
    writeFileSync(at(`${to}/tls.crt`), pem);
    writeFileSync(at(`${to}/tls.key`), keyPem);
  };
  const link = (target: string, path: string) => {
    symlinkSync(target, at(`${path}.new`));
    renameSync(at(`${path}.new`), at(path));
  };
  const linkBoth = (target: string, to: string) => {
    for (const name of ['tls.crt', 'tls.key']) link(`${target}/${name}`, `${to}/${name}`);
  };
  return { at, write, link, linkBoth };
}
type Place = ReturnType<typeof place>;

/** A listener on the files in `tls/` of the folder, and what it says. */
async function listen({ at }: Place) {
  const lines: string[] = [];
  const logger = pino(
    {},
    { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const files = { certFile: at('tls/tls.crt'), keyFile: at('tls/tls.key') };
  const server = tlsListener(Fastify(), files, logger);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    lines,
    async subject() {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    },
    close() {
      server.stopWatching();
      server.close();
    },
  };
}

describe.concurrent('a renewed certificate is taken up', { timeout: 30_000 }, () => {
  const layouts: readonly (readonly [string, (f: Place) => void, (f: Place) => void])[] = [
    [
      'files, by renaming',
      (f) => f.write('tls', old),
      (f) => {
        f.write('next', renewed);
        for (const name of ['tls.crt', 'tls.key'])
          renameSync(f.at(`next/${name}`), f.at(`tls/${name}`));
      },
    ],
    ['files, written in place', (f) => f.write('tls', old), (f) => f.write('tls', renewed)],
    [
      'files, removed and made again',
      (f) => f.write('tls', old),
      (f) => {
        rmSync(f.at('tls'), { recursive: true });
        f.write('tls', renewed);
      },
    ],
    [
      'links to files beside them',
      (f) => {
        f.write('tls/one', old);
        f.linkBoth('one', 'tls');
      },
      (f) => {
        f.write('tls/two', renewed);
        f.linkBoth('two', 'tls');
      },
    ],
    [
      'links to files that are written in place',
      (f) => {
        f.write('tls/one', old);
        f.linkBoth('one', 'tls');
      },
      (f) => f.write('tls/one', renewed),
    ],
    [
      'links into another folder, whose files are replaced',
      (f) => {
        f.write('elsewhere', old);
        mkdirSync(f.at('tls'));
        f.linkBoth('../elsewhere', 'tls');
      },
      (f) => {
        f.write('next', renewed);
        for (const name of ['tls.crt', 'tls.key'])
          renameSync(f.at(`next/${name}`), f.at(`elsewhere/${name}`));
      },
    ],
    [
      'links to links, of which the last are turned',
      (f) => {
        f.write('archive1', old);
        for (const place of ['live', 'tls']) mkdirSync(f.at(place));
        f.linkBoth('../archive1', 'live');
        f.linkBoth('../live', 'tls');
      },
      (f) => {
        f.write('archive2', renewed);
        f.linkBoth('../archive2', 'live');
      },
    ],
    [
      'a folder that is a link',
      (f) => {
        f.write('one', old);
        f.link('one', 'tls');
      },
      (f) => {
        f.write('two', renewed);
        f.link('two', 'tls');
      },
    ],
    [
      'a Kubernetes volume (..data)',
      (f) => {
        f.write('tls/..2026_1', old);
        f.link('..2026_1', 'tls/..data');
        f.linkBoth('..data', 'tls');
      },
      (f) => {
        f.write('tls/..2026_2', renewed);
        f.link('..2026_2', 'tls/..data');
        rmSync(f.at('tls/..2026_1'), { recursive: true });
      },
    ],
  ];
  // Each waits for the watcher: they wait together.
  it.for(layouts)('%s', async ([, prepare, renew], { expect }) => {
    const here = place();
    prepare(here);
    const listener = await listen(here);
    expect(await listener.subject()).toBe('old');
    await sleep(1200);
    renew(here);
    await expect.poll(listener.subject, { timeout: 15_000 }).toBe('new');
    await sleep(1500);
    expect(listener.lines).toEqual(['TLS certificate reloaded']);
    listener.close();
  });
});

describe.concurrent('what is no renewal', { timeout: 30_000 }, () => {
  it('a log that grows in the same folder, and files that are written anew with the same content, reload nothing', async ({
    expect,
  }) => {
    const here = place();
    here.write('tls', old);
    const listener = await listen(here);
    for (let round = 0; round < 20; round++) {
      appendFileSync(here.at('tls/holdfast.log'), 'a line\n');
      if (round % 5 === 0) here.write('tls', old);
      await sleep(100);
    }
    await sleep(1500);
    expect(listener.lines).toEqual([]);
    listener.close();
  });
  it('a certificate without its key is said once, and the old one stays until the key is there', async ({
    expect,
  }) => {
    const here = place();
    here.write('tls', old);
    const listener = await listen(here);
    writeFileSync(here.at('tls/tls.crt'), renewed.pem);
    await expect.poll(() => listener.lines, { timeout: 15_000 }).toHaveLength(1);
    await sleep(1500);
    expect(listener.lines).toEqual(['TLS certificate not reloaded; the old one stays']);
    expect(await listener.subject()).toBe('old');
    writeFileSync(here.at('tls/tls.key'), renewed.keyPem);
    await expect.poll(listener.subject, { timeout: 15_000 }).toBe('new');
    listener.close();
  });
});
