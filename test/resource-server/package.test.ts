import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installTarballs, packedLibraries } from '../support/packed.ts';
import { aware, openPair, type Pair } from '../support/pair.ts';
import { compiled } from '../support/typescript.ts';

const root = join(import.meta.dirname, '../..');
const run = async (command: string, args: readonly string[], cwd: string) =>
  (await promisify(execFile)(command, args, { cwd })).stdout;
let [folder, pair]: [string, Pair] = [] as never;
const installed = () => join(folder, 'node_modules/@holdfast/resource-server');
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
  pair = await openPair();
  const { resourceServer } = await packedLibraries();
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  await installTarballs(folder, [resourceServer.tarball]);
}, 180_000);
afterAll(async () => {
  await pair.server.stop();
  rmSync(folder, { recursive: true });
});

it('installs without a single dependency, and has no part of the server in it', () => {
  expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(
    ['@holdfast'],
  );
  expect(readdirSync(join(folder, 'node_modules/@holdfast'))).toEqual(['resource-server']);
  const files = readdirSync(installed(), { recursive: true }).map(String);
  const code = files
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(installed(), name), 'utf8'));
  const imports = code.flatMap((text) =>
    [...text.matchAll(/from '([^'.][^']*)'/g)].map(([, name]) => name),
  );
  expect([...new Set(imports)]).toEqual(['node:crypto']);
  expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE']));
});

/** The machine's own Node.js, which may be older than the one that the server brings along. */
const systemNode = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((path) => !path.includes('node_modules'))
  .map((path) => join(path, 'node'))
  .find((path) => existsSync(path));
const runtimes = [process.execPath, ...(systemNode === undefined ? [] : [systemNode])].map(
  (path) => ({
    path,
    version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim(),
  }),
);

it('says which Node.js it needs: the first with crypto.hash', async () => {
  const { engines } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8')) as {
    engines: object;
  };
  expect(engines).toEqual({ node: '>=20.12' });
});

it.each(runtimes)(
  'plain JavaScript in an empty folder verifies a token of the server by an ordinary fetch, on $version',
  async ({ path }) => {
    const token = (await pair.ask()).body.access_token as string;
    const { createHash } = await import('node:crypto');
    const ath = createHash('sha256').update(token).digest('base64url');
    const proof = await pair.backendKey.proof({ htm: 'GET', htu: `${aware}/events`, ath });
    writeFileSync(
      join(folder, 'use.js'),
      `import('@holdfast/resource-server').then(async ({ resourceServer, TokenRefused }) => {
       const { issuer, jwksUri, audience, now, token, proof } = JSON.parse(process.argv[2]);
       const verify = resourceServer({ issuer: { issuer, jwksUri, altCnf: true }, audience, clock: () => now });
       const request = { method: 'GET', url: audience + '/events', headers: new Headers({ authorization: 'DPoP ' + token, dpop: proof }) };
       const { presenter } = await verify(request);
       const again = await verify(request).catch((refused) => refused);
       console.log(presenter, again instanceof TokenRefused, again.reason, again.challenges[0].slice(0, 4));
     });`,
    );
    const given = {
      issuer: pair.server.issuer,
      jwksUri: `${pair.server.url}/jwks`,
      audience: aware,
      now: pair.server.clock.now,
      token,
      proof,
    };
    expect(await run(path, ['use.js', JSON.stringify(given)], folder)).toBe(
      'backend true proof_replayed DPoP\n',
    );
  },
);

it('has types that a strict TypeScript project compiles against', async () => {
  writeFileSync(
    join(folder, 'use.ts'),
    `import { resourceServer, TokenRefused, type Presented } from '@holdfast/resource-server';
import { resourceMetadata, tokenRequired } from '@holdfast/resource-server/express';

const introspection = { clientId: 'api', clientSecret: 'secret' };
const verify = resourceServer({
  issuer: { issuer: 'https://as.example.com', introspection },
  audience: 'https://api.example.com',
  metadata: { scopes_supported: ['read'] },
});
export const serve = resourceMetadata(verify);
export const url: string | undefined = verify.metadata?.url;
export const presenterOf = async (url: string, headers: Headers): Promise<Presented['presenter'] | undefined> => {
  try {
    return (await verify({ method: 'GET', url, headers })).presenter;
  } catch (refused) {
    if (!(refused instanceof TokenRefused)) throw refused;
    return undefined;
  }
};
export const guard = tokenRequired(verify, { origin: 'https://api.example.com' });
// @ts-expect-error: an audience is required.
resourceServer({ issuer: 'https://as.example.com' });
`,
  );
  expect(await strictly(['use.ts'])).toBe('');
});

/** What the compiler says of these files, as strict as it can be. */
const strictly = async (files: readonly string[]) => {
  const exact = ['--exactOptionalPropertyTypes', '--skipLibCheck'];
  return compiled(folder, [...exact, '--types', 'node,express', ...files]);
};

/** The blocks of JavaScript on a page that use an adapter. */
function adapterBlocks(page: string): readonly string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)]
    .map(([, code = '']) => code)
    .filter((code) => code.includes('requireToken('));
}

it('compiles what the pages show for Fastify and Express, in a strict TypeScript project', async () => {
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  mkdirSync(join(folder, 'node_modules/@types'));
  for (const name of ['fastify', '@types/express', '@types/node'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const only = (code: string, framework: string) =>
    code
      .split('\n')
      .filter((line) => !/\/\/ (Fastify|Express)$/.test(line) || line.endsWith(framework))
      .join('\n');
  const short = ['packages/resource-server/README.md', 'docs/resource-server.md'].flatMap(
    (page) => {
      const [code = ''] = adapterBlocks(page);
      return [
        `import type { FastifyInstance } from 'fastify';
declare const app: FastifyInstance;
${only(code, 'Fastify')}`,
        `import type { Express } from 'express';
declare const app: Express;
${only(code, 'Express').replace('/fastify', '/express')}`,
      ];
    },
  );
  const whole = ['README.md', 'docs/tutorials/protect-an-api.md'].flatMap(adapterBlocks);
  const programs = [...short, ...whole];
  expect(programs).toHaveLength(6);
  const names = programs.map((code, index) => {
    writeFileSync(join(folder, `page${index}.ts`), code);
    return `page${index}.ts`;
  });
  expect(await strictly(names)).toBe('');
});
