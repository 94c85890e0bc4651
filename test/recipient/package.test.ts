import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aware, openPair, type Pair } from '../support/pair.ts';

const root = join(import.meta.dirname, '../..');
const run = async (command: string, args: readonly string[], cwd: string) => (await promisify(execFile)(command, args, { cwd })).stdout;
let [folder, pair]: [string, Pair] = [] as never;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
  pair = await openPair();
  await run('npm', ['run', '-s', 'build:resource-server'], root);
  const packed = (await run('npm', ['pack', '--silent', '--pack-destination', folder, join(root, 'dist')], folder)).trim();
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--silent', '--offline', '--no-audit', '--no-fund', `./${packed}`], folder);
}, 60_000);
afterAll(async () => {
  await pair.server.stop();
  rmSync(folder, { recursive: true });
});

it('installs without a single dependency, and has no part of the server in it', () => {
  expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['holdfast']);
  const files = readdirSync(join(folder, 'node_modules/holdfast'), { recursive: true }).map(String);
  const code = files.filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(folder, 'node_modules/holdfast', name), 'utf8'));
  const imports = code.flatMap((text) => [...text.matchAll(/from '([^'.][^']*)'/g)].map(([, name]) => name));
  expect([...new Set(imports)]).toEqual(['node:crypto']);
  expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', join('recipient', 'resource-server.d.ts')]));
});

it('plain JavaScript in an empty folder verifies a token of the server by an ordinary fetch', async () => {
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
  const given = { issuer: pair.server.issuer, jwksUri: `${pair.server.url}/jwks`, audience: aware, now: pair.server.clock.now, token, proof };
  expect(await run(process.execPath, ['use.js', JSON.stringify(given)], folder)).toBe('backend true proof_replayed DPoP\n');
});
