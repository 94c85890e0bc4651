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
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'layout-'));
});
const at = (path: string) => join(folder, path);
const write = (place: string, { pem, keyPem }: TestCertificate) => {
  mkdirSync(at(place), { recursive: true });
  writeFileSync(at(`${place}/tls.crt`), pem);
  writeFileSync(at(`${place}/tls.key`), keyPem);
};
const link = (target: string, path: string) => {
  symlinkSync(target, at(`${path}.new`));
  renameSync(at(`${path}.new`), at(path));
};
const linkBoth = (target: string, place: string) => {
  for (const name of ['tls.crt', 'tls.key']) link(`${target}/${name}`, `${place}/${name}`);
};

/** A listener on the files in `tls/` of the folder, and what it says. */
async function listen() {
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

describe('a renewed certificate is taken up', { timeout: 30_000 }, () => {
  const layouts: readonly (readonly [string, () => void, () => void])[] = [
    [
      'files, by renaming',
      () => write('tls', old),
      () => {
        write('next', renewed);
        for (const name of ['tls.crt', 'tls.key'])
          renameSync(at(`next/${name}`), at(`tls/${name}`));
      },
    ],
    ['files, written in place', () => write('tls', old), () => write('tls', renewed)],
    [
      'files, removed and made again',
      () => write('tls', old),
      () => {
        rmSync(at('tls'), { recursive: true });
        write('tls', renewed);
      },
    ],
    [
      'links to files beside them',
      () => {
        write('tls/one', old);
        linkBoth('one', 'tls');
      },
      () => {
        write('tls/two', renewed);
        linkBoth('two', 'tls');
      },
    ],
    [
      'links to files that are written in place',
      () => {
        write('tls/one', old);
        linkBoth('one', 'tls');
      },
      () => write('tls/one', renewed),
    ],
    [
      'links into another folder, whose files are replaced',
      () => {
        write('elsewhere', old);
        mkdirSync(at('tls'));
        linkBoth('../elsewhere', 'tls');
      },
      () => {
        write('next', renewed);
        for (const name of ['tls.crt', 'tls.key'])
          renameSync(at(`next/${name}`), at(`elsewhere/${name}`));
      },
    ],
    [
      'links to links, of which the last are turned',
      () => {
        write('archive1', old);
        for (const place of ['live', 'tls']) mkdirSync(at(place));
        linkBoth('../archive1', 'live');
        linkBoth('../live', 'tls');
      },
      () => {
        write('archive2', renewed);
        linkBoth('../archive2', 'live');
      },
    ],
    [
      'a folder that is a link',
      () => {
        write('one', old);
        link('one', 'tls');
      },
      () => {
        write('two', renewed);
        link('two', 'tls');
      },
    ],
    [
      'a Kubernetes volume (..data)',
      () => {
        write('tls/..2026_1', old);
        link('..2026_1', 'tls/..data');
        linkBoth('..data', 'tls');
      },
      () => {
        write('tls/..2026_2', renewed);
        link('..2026_2', 'tls/..data');
        rmSync(at('tls/..2026_1'), { recursive: true });
      },
    ],
  ];
  it.each(layouts)('%s', async (_, prepare, renew) => {
    prepare();
    const listener = await listen();
    expect(await listener.subject()).toBe('old');
    await sleep(1200);
    renew();
    await expect.poll(listener.subject, { timeout: 15_000 }).toBe('new');
    await sleep(1500);
    expect(listener.lines).toEqual(['TLS certificate reloaded']);
    listener.close();
  });
});

describe('what is no renewal', { timeout: 30_000 }, () => {
  it('a log that grows in the same folder, and files that are written anew with the same content, reload nothing', async () => {
    write('tls', old);
    const listener = await listen();
    for (let round = 0; round < 20; round++) {
      appendFileSync(at('tls/holdfast.log'), 'a line\n');
      if (round % 5 === 0) write('tls', old);
      await sleep(100);
    }
    await sleep(1500);
    expect(listener.lines).toEqual([]);
    listener.close();
  });
  it('a certificate without its key is said once, and the old one stays until the key is there', async () => {
    write('tls', old);
    const listener = await listen();
    writeFileSync(at('tls/tls.crt'), renewed.pem);
    await expect.poll(() => listener.lines, { timeout: 15_000 }).toHaveLength(1);
    await sleep(1500);
    expect(listener.lines).toEqual(['TLS certificate not reloaded; the old one stays']);
    expect(await listener.subject()).toBe('old');
    writeFileSync(at('tls/tls.key'), renewed.keyPem);
    await expect.poll(listener.subject, { timeout: 15_000 }).toBe('new');
    listener.close();
  });
});
