import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { variableNames } from '../../src/config/variable-names.ts';
import { firstTokenType } from '../support/first-token.ts';
import { asInTheImage, copyAsTheImage, imageVariables, instructions } from '../support/image.ts';
import { needs } from '../support/left-out.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { onPostgresqlServer } from '../support/stores.ts';

const root = join(import.meta.dirname, '../..');
const folder = scratchFolder();
const layout = join(folder, 'image');
const data = join(layout, 'data');
const run = promisify(execFile);
beforeAll(async () => {
  mkdirSync(data, { recursive: true });
  await copyAsTheImage(join(layout, 'app'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const isKnown = (name: string) => (variableNames as readonly string[]).includes(name);

/**
 * An assumption, for there is no container engine here: what a registry says of the compressed
 * layers of node:24-bookworm-slim for amd64, rounded up.
 */
const baseLayers = 85 * 2 ** 20;

describe('the image', () => {
  it('has less than 200 MB, compressed: the base, as assumed, and what the Dockerfile copies', async () => {
    const archive = join(folder, 'app.tar.gz');
    // An engine compresses more than this.
    await run('tar', ['-C', layout, '-I', 'gzip -1', '-cf', archive, 'app']);
    const { size } = statSync(archive);
    expect(size).toBeLessThan(20 * 2 ** 20);
    expect(baseLayers + size).toBeLessThan(200 * 10 ** 6);
  });

  it('runs as a user with a number that is not root, and sets only variables that Holdfast reads', () => {
    expect(instructions('USER')).toEqual(['1000:1000']);
    const names = Object.keys(imageVariables()).filter((name) => name !== 'NODE_ENV');
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
  });

  it.skipIf(!needs.mountNamespace.isHere())(
    'its files alone, on a read-only root and as that user, issue a token and pass its health check',
    async () => {
      chownSync(data, 1000, 1000);
      const command = JSON.parse(instructions('CMD').at(-1) ?? '') as string[];
      const address = await freeAddress();
      const server = await startProcess(
        { ...imageVariables(), PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        address,
        {
          program: asInTheImage(layout, command),
        },
      );
      try {
        expect(await firstTokenType(server)).toBe('DPoP');
        const check = JSON.parse(
          /CMD (\[.*\])$/m.exec(instructions('HEALTHCHECK')[0] ?? '')?.[1] ?? '',
        ) as string[];
        const healthy = async (port: number) =>
          run(process.execPath, check.slice(1), { env: { PORT: String(port) } });
        await healthy(address.port);
        await expect(healthy(1)).rejects.toMatchObject({ code: 1 });
        const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
        expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
        expect(status).toMatch(/^CapBnd:\t0+$/m);
      } finally {
        expect(await server.end('SIGTERM')).toBe(0);
      }
      expect(statSync(join(data, 'holdfast.key-encryption-key')).mode & 0o777).toBe(0o600);
      const write = `for (const path of process.argv.slice(1))
        try { fs.writeFileSync(path, ''); console.log(); } catch ({ code }) { console.log(code); }`;
      const paths = ['/app/dist/x.js', '/tmp/x', '/data/x'];
      const [program, ...args] = asInTheImage(layout, ['node', '-e', write, ...paths]);
      expect((await run(program, args)).stdout).toBe('EROFS\nEROFS\n\n');
    },
  );
});

interface Service {
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly command: readonly string[];
  readonly read_only: boolean;
  readonly depends_on: Readonly<Record<string, object>>;
}

describe('docker compose up', () => {
  const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
    merge: true,
  }) as { services: Readonly<Record<string, Service>>; volumes: object };
  const { holdfast, password, postgres } = compose.services;
  const passwords = join(folder, 'passwords');

  /** What compose makes of a value when no variable is set, which is how a first run is. */
  const unset = (value: string) =>
    value.replace(
      /\$\{(\w+)(?::-([^}]*))?([^}]*)\}/g,
      (_, name: string, standard: string, rest) => {
        if (standard === undefined || rest !== '') throw new Error(`${name} has to be set first`);
        return standard;
      },
    );

  it('needs no variable to be set, and sets only those that Holdfast reads', () => {
    const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8').replace(/^ *#.*$/gm, '');
    expect(() => unset(text.replaceAll('$$', ''))).not.toThrow();
    expect(() => unset('$'.concat('{ISSUER:?set ISSUER}'))).toThrow('ISSUER has to be set');
    expect(Object.keys(holdfast?.environment ?? {}).filter((name) => !isKnown(name))).toEqual([]);
    expect(holdfast?.read_only).toBe(true);
    for (const { volumes = [] } of Object.values(compose.services))
      for (const volume of volumes.filter((name) => !name.startsWith('.')))
        expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'makes the password of the database once, for the two that need it',
    async () => {
      mkdirSync(passwords);
      const script = (password?.command[0] ?? '')
        .replaceAll('$$', '$')
        .replace('/password', passwords);
      const files = async () => {
        await run('sh', ['-euc', script]);
        return ['postgres', 'url'].map((name) => {
          const path = join(passwords, name);
          const { uid, mode } = statSync(path);
          return { text: readFileSync(path, 'utf8'), uid, mode: mode & 0o777 };
        });
      };
      const [own, url] = await files();
      expect(own).toEqual({ text: expect.stringMatching(/^[0-9a-f]{48}$/), uid: 999, mode: 0o600 });
      expect(url).toEqual({
        text: `postgresql://holdfast:${own?.text}@postgres:5432/holdfast`,
        uid: 1000,
        mode: 0o600,
      });
      expect(await files()).toEqual([own, url]);
      expect(postgres?.environment).toMatchObject({ POSTGRES_PASSWORD_FILE: '/password/postgres' });
      expect(holdfast?.environment['DATABASE_URL_FILE']).toBe('/password/url');
      // A start that was cut off before the last step begins again, with both files new.
      rmSync(join(passwords, 'url'));
      const [another] = await files();
      expect(another?.text).not.toBe(own?.text);
    },
  );

  it.skipIf(!needs.postgresql.isHere(process.env) || !needs.redis.isHere(process.env))(
    'starts with these variables on PostgreSQL and Redis, and makes the secrets that are missing',
    async () => {
      const store = await onPostgresqlServer.make('empty');
      const own = join(folder, 'compose');
      mkdirSync(own);
      writeFileSync(join(own, 'url'), store.env['DATABASE_URL'] ?? '');
      const given = Object.entries(holdfast?.environment ?? {}).map(([name, value]) => [
        name,
        unset(String(value)).replace('/data/', `${own}/`).replace('/password/', `${own}/`),
      ]);
      const address = await freeAddress();
      const server = await startProcess(
        {
          ...(Object.fromEntries(given) as Record<string, string>),
          ADMIN_TOKEN: '',
          ISSUER: `http://127.0.0.1:${address.port}`,
          REDIS_URL: process.env['TEST_REDIS_URL'] ?? '',
        },
        address,
      );
      try {
        const token = readFileSync(join(own, 'holdfast.admin-token'), 'utf8').trim();
        expect(await firstTokenType(server, token)).toBe('DPoP');
      } finally {
        await server.end('SIGTERM');
        await store.remove();
      }
    },
  );
});
