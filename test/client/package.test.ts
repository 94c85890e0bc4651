import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { installTarballs, packedLibraries } from '../support/packed.ts';
import { compiled } from '../support/typescript.ts';

const run = async (command: string, args: readonly string[], cwd: string) =>
  (await promisify(execFile)(command, args, { cwd })).stdout;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-client-package-'));
const installed = join(folder, 'node_modules/@holdfast/client');
let server: LiveServer;
let api: Api;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer, { nonceRequired: true });
  await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
  await server.admin('POST', 'clients', {
    client_id: 'reports',
    client_secret: 's'.repeat(32),
    scope: 'read',
  });
  // The dependency from here, so that no registry is needed.
  const { client, oauth4webapi } = await packedLibraries();
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  await installTarballs(folder, [client.tarball, oauth4webapi.tarball]);
});
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true });
});

describe('npm pack of @holdfast/client, installed in an empty folder', () => {
  it('has oauth4webapi as its only dependency, and no part of the server', () => {
    const names = readdirSync(join(folder, 'node_modules')).filter((name) => name[0] !== '.');
    expect(names.toSorted()).toEqual(['@holdfast', 'oauth4webapi']);
    const files = readdirSync(installed, { recursive: true }).map(String);
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'package.json']));
    const imports = files
      .filter((name) => name.endsWith('.js'))
      .flatMap((name) => {
        const code = readFileSync(join(installed, name), 'utf8');
        return [...code.matchAll(/(?:from |import\()'([^'.][^']*)'/g)].map(([, from]) =>
          String(from),
        );
      });
    expect([...new Set<string>(imports)].toSorted()).toEqual([
      'node:crypto',
      'node:fs/promises',
      'node:os',
      'node:path',
      'oauth4webapi',
    ]);
  });

  it('keeps modules of Node.js out of bundles for browsers', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      readonly browser: Readonly<Record<string, false>>;
    };
    const files = readdirSync(join(installed, 'dist'), { recursive: true }).map(String);
    const ofNode = files.filter(
      (name) =>
        name.endsWith('.js') &&
        readFileSync(join(installed, 'dist', name), 'utf8').includes("from 'node:"),
    );
    expect(new Set(ofNode.map((name) => `./dist/${name}`))).toEqual(
      new Set(Object.keys(manifest.browser)),
    );
  });
});

/**
 * Runtimes on this machine: its own Node.js, the one that comes along, Deno and Bun if they are
 * there.
 */
const runtimes = ['node', 'deno', 'bun'].flatMap((name) =>
  [
    ...new Set([
      ...(name === 'node' ? [process.execPath] : []),
      ...(process.env['PATH'] ?? '')
        .split(delimiter)
        .filter((path) => !path.includes('node_modules'))
        .map((path) => join(path, name))
        .filter((path) => existsSync(path))
        .slice(0, 1),
    ]),
  ].map((path) => {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
    return { path, version, args: name === 'deno' ? ['run', '--allow-all'] : [] };
  }),
);

it.each(runtimes)(
  'plain JavaScript makes a key file, obtains a token and calls an API, on $version',
  async ({ path, args }) => {
    writeFileSync(
      join(folder, 'use.js'),
      `import { createHolder, HolderError } from '@holdfast/client';
       const [issuer, resource, file] = process.argv.slice(2);
       const options = { issuer, resource, clientId: 'reports', clientSecret: 's'.repeat(32) };
       const holder = await createHolder({ ...options, key: { file } });
       const same = await createHolder({ ...options, key: { file } });
       const answer = await holder.fetch(resource + '/reports', { method: 'POST', body: 'text' });
       const unknown = await createHolder({ ...options, clientId: 'unknown', key: 'memory' });
       const error = await unknown.token().catch((refused) => refused);
       console.log(JSON.stringify({
         ...(await answer.json()),
         same: same.thumbprint === holder.thumbprint,
         refused: error instanceof HolderError && error.error,
       }));`,
    );
    const file = join(folder, `${path.replaceAll('/', '-')}.json`);
    const printed = await run(path, [...args, 'use.js', server.issuer, api.origin, file], folder);
    expect(JSON.parse(printed)).toEqual({
      presenter: 'reports',
      method: 'jkt',
      body: 'text',
      same: true,
      refused: 'invalid_client',
    });
  },
);

describe('TypeScript', () => {
  const compile = async (lib: string, types: string) => {
    const resolution = ['--exactOptionalPropertyTypes', '--moduleResolution', 'nodenext'];
    // The declarations of the package are not skipped.
    const libraries = ['--skipDefaultLibCheck', '--lib', lib, '--types', types];
    return compiled(folder, [...resolution, ...libraries, 'use.ts', 'misuse.ts']);
  };
  const code = `
    import { createPrivateKey } from 'node:crypto';
    import { createHolder, type Holder, HolderError } from '@holdfast/client';
    const holder: Holder = await createHolder({
      issuer: 'https://as.example.com',
      clientId: 'reports',
      authentication: { method: 'private_key_jwt' },
      key: createPrivateKey('PEM'),
    });
    try {
      const answer: Response = await holder.fetch('https://api.example.com');
      console.log(answer.status, (await holder.token()).expiresAt);
    } catch (error) {
      if (error instanceof HolderError && error.code === 'token_refused') console.log(error.error);
    }
    export {};`;

  it.each([
    { where: 'for Node.js', lib: 'es2022', types: 'node', text: code },
    {
      where: 'for browsers',
      lib: 'es2022,dom',
      types: '',
      text: code.replace(/import .*node:crypto.;/, '').replace('createPrivateKey(', 'String('),
    },
  ])('compiles strictly, declarations included, $where', async ({ lib, types, text }) => {
    const right = text.replace("String('PEM')", "'memory'");
    writeFileSync(join(folder, 'use.ts'), right);
    writeFileSync(join(folder, 'misuse.ts'), right.replace("'reports'", '5'));
    expect(await compile(lib, types)).toMatch(/^misuse\.ts\(6,7\): error .*\n$/);
  });
});
