import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstTokenType } from '../support/first-token.ts';
import {
  installTarballs,
  neededPackages,
  type Packed,
  packedLibraries,
  packedServer,
  tarballsOf,
} from '../support/packed.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';

const root = join(import.meta.dirname, '../..');
const folder = scratchFolder();
/** The first Node.js of the path that did not come with `npm ci`. */
const systemNode = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((path) => !path.includes('node_modules'))
  .map((path) => join(path, 'node'))
  .find((path) => existsSync(path));
const systemVersion =
  systemNode && spawnSync(systemNode, ['--version'], { encoding: 'utf8' }).stdout.trim();
const run = promisify(execFile);

let packed: Packed;
let tarballs: readonly string[];
beforeAll(async () => {
  const needed = neededPackages().then(async (paths) => tarballsOf(paths, folder));
  packed = await packedServer();
  tarballs = [packed.tarball, ...(await needed)];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed server, installed where nothing else is', () => {
  const install = async (cwd: string, more: readonly string[]) => {
    mkdirSync(cwd);
    await installTarballs(cwd, tarballs, more);
  };
  const started = async (program: readonly [string, ...string[]], cwd: string, more = {}) => {
    const env = { HOME: cwd, XDG_DATA_HOME: join(cwd, 'data'), PATH: process.env['PATH'] ?? '' };
    return startProcess({ ...env, ...more }, await freeAddress(), { program, cwd, group: true });
  };

  it('by npm i -g: the commands that the first start of holdfast serve prints lead to a bound token', async () => {
    const prefix = join(folder, 'global');
    await install(prefix, ['--global', '--prefix', prefix]);
    const command = join(prefix, 'bin/holdfast');
    const server = await started([command, 'serve'], prefix, { ADMIN_TOKEN: '' });
    try {
      await server.said(/holdfast decode -\n/);
      const [, first, second] =
        /client:\n\n([\s\S]*)\n2\. .*\n\n([\s\S]*?decode -)\n/.exec(server.output()) ?? [];
      const PATH = `${join(prefix, 'bin')}:${process.env['PATH']}`;
      const script = `{ ${first}\n} >&2\n${second}`;
      const { stdout, stderr } = await run('bash', ['-euc', script], {
        env: { PATH, HOME: prefix },
      });
      expect([stdout, stderr]).toEqual([
        expect.stringMatching(/first-client[\s\S]*jkt/),
        expect.stringContaining('"client_id":"first-client"'),
      ]);
    } finally {
      await server.end('SIGTERM');
    }
    expect(existsSync(join(prefix, 'data/holdfast/holdfast.db'))).toBe(true);
  });
  it('by npm i: npx holdfast serve issues a token', async () => {
    const own = join(folder, 'local');
    await install(own, []);
    const server = await started(['npx', '--offline', 'holdfast', 'serve'], own);
    try {
      expect(await firstTokenType(server)).toBe('DPoP');
    } finally {
      await server.end('SIGTERM');
    }
  });
  it.skipIf(systemNode === undefined || !/^v2[01]\./.test(systemVersion ?? ''))(
    `on an older Node.js, here ${systemVersion}, it says which one it needs`,
    async () => {
      const launcher = join(folder, 'local/node_modules/holdfast/bin/holdfast.js');
      await expect(run(systemNode ?? '', [launcher, 'serve'])).rejects.toMatchObject({
        code: 5,
        stderr: expect.stringMatching(
          /^holdfast needs Node\.js 22\.18 or newer, and this is 2[01]\./,
        ),
      });
    },
  );
});

describe('what would be published', () => {
  it.each([
    ['.', packedServer],
    ['packages/client', async () => (await packedLibraries()).client],
    ['packages/resource-server', async () => (await packedLibraries()).resourceServer],
  ] as const)(
    '%s has a licence, a page and a version, and neither sources nor tests',
    async (source, pack) => {
      const { files } = await pack();
      const paths = files.map(({ path }) => path);
      expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
      expect(paths.filter((path) => /^(src|test|scripts|node_modules)\/|\.env/.test(path))).toEqual(
        [],
      );
      const manifest = JSON.parse(readFileSync(join(root, source, 'package.json'), 'utf8')) as {
        readonly version: string;
        readonly private?: boolean;
        readonly publishConfig: object;
      };
      expect([manifest.version, manifest.private, manifest.publishConfig]).toEqual([
        '0.2.0',
        undefined,
        { access: 'public' },
      ]);
    },
  );
  it('the server is small, and carries the licences of what is bundled in it', () => {
    expect(packed.size).toBeLessThan(5 * 2 ** 20);
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toContain('dist/third-party-licences.txt');
    const text = readFileSync(join(root, 'dist/third-party-licences.txt'), 'utf8');
    expect(text).toMatch(/^fastify \d\S* \(MIT\)\n\nMIT License/m);
  });
});

describe('the software bill of materials (npm run -s sbom)', () => {
  interface Bom {
    readonly components: readonly {
      readonly name: string;
      readonly scope: string;
      readonly licenses?: readonly { readonly license?: { readonly id?: string } }[];
    }[];
  }
  let text = '';
  let bom: Bom;
  beforeAll(async () => {
    ({ stdout: text } = await run('npm', ['run', '-s', 'sbom'], { cwd: root, maxBuffer: 2 ** 26 }));
    bom = JSON.parse(text) as Bom;
  });

  it('is CycloneDX by its strict schema', async () => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot5);
    expect(await validator.validate(text)).toBe(null);
    expect(await validator.validate(text.replaceAll('"library"', '"shelf"'))).not.toBe(null);
  });
  it('has what is bundled and what is installed beside it, and no tool that only builds', () => {
    const names = bom.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['fastify', 'jose', 'libsql', 'oauth4webapi']));
    expect(names.filter((name) => /vitest|typescript|rolldown|biome/.test(name))).toEqual([]);
  });
  it('no component has a licence that would bind whoever runs or changes Holdfast', () => {
    const allowed = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0'];
    const free = new Set([...allowed, 'ISC', 'MIT']);
    const others = bom.components.filter(
      ({ licenses = [] }) =>
        licenses.length === 0 || licenses.some(({ license }) => !free.has(license?.id ?? '')),
    );
    expect(bom.components.length).toBeGreaterThan(50);
    expect(others.map(({ name, licenses }) => ({ name, licenses }))).toEqual([]);
  });
});
