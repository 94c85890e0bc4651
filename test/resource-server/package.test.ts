import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aware, openPair, type Pair } from '../support/pair.ts';

const root = join(import.meta.dirname, '../..');
const run = async (command: string, args: readonly string[], cwd: string) =>
  (await promisify(execFile)(command, args, { cwd })).stdout;
let [folder, pair]: [string, Pair] = [] as never;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
  pair = await openPair();
  await run('npm', ['run', '-s', 'build:resource-server'], root);
  const packed = (
    await run('npm', ['pack', '--silent', '--pack-destination', folder, join(root, 'dist')], folder)
  ).trim();
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  await run(
    'npm',
    ['install', '--silent', '--offline', '--no-audit', '--no-fund', `./${packed}`],
    folder,
  );
}, 60_000);
afterAll(async () => {
  await pair.server.stop();
  rmSync(folder, { recursive: true });
});

it('installs without a single dependency, and has no part of the server in it', () => {
  expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(
    ['holdfast'],
  );
  const files = readdirSync(join(folder, 'node_modules/holdfast'), { recursive: true }).map(String);
  const code = files
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(folder, 'node_modules/holdfast', name), 'utf8'));
  const imports = code.flatMap((text) =>
    [...text.matchAll(/from '([^'.][^']*)'/g)].map(([, name]) => name),
  );
  expect([...new Set(imports)]).toEqual(['node:crypto']);
  expect(files).toEqual(
    expect.arrayContaining(['README.md', 'LICENSE', join('recipient', 'resource-server.d.ts')]),
  );
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
  const { engines } = JSON.parse(
    readFileSync(join(folder, 'node_modules/holdfast/package.json'), 'utf8'),
  ) as { engines: object };
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
      `import('holdfast/resource-server').then(async ({ resourceServer, TokenRefused }) => {
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
