import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../support/api.ts';
import { runCommand, runCommandHere } from '../support/command.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { freePort } from '../support/ports.ts';
import { scratchFolder } from '../support/scratch.ts';

const secret = 's'.repeat(32);
const folder = scratchFolder();
const config = join(folder, 'config/holdfast/config.json');
const run = async (args: string[], more: Parameters<typeof runCommandHere>[2] = {}) =>
  runCommandHere(folder, args, more);
let server: LiveServer;
let api: Api;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer);
  await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
  await server.admin('POST', 'clients', {
    client_id: 'app',
    client_secret: secret,
    scope: 'read',
  });
  // As a process, as is `decode` below: it has to end by itself.
  const made = await runCommand(
    folder,
    [
      'profile',
      'set',
      'default',
      '--issuer',
      server.issuer,
      '--client-id',
      'app',
      '--client-secret-file',
      '-',
      '--resource',
      api.origin,
    ],
    { input: `${secret}\n` },
  );
  if (made.code !== 0 || made.stdout !== '') throw new Error(made.stderr);
});
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

describe('profiles', () => {
  it('lie in a file that only its owner can read, and show no secret', async () => {
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(readFileSync(config, 'utf8')).toContain(secret);
    const shown = await run(['profile', 'show', '--json']);
    expect(shown.code).toBe(0);
    expect(shown.stdout).not.toContain(secret);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      client_id: 'app',
      public_jwk: { kty: 'EC', use: 'sig' },
    });
  });

  it('are refused while others can read the file', async () => {
    chmodSync(config, 0o644);
    const refused = await run(['token']);
    chmodSync(config, 0o600);
    expect(refused).toMatchObject({ code: 5, stdout: '' });
    expect(refused.stderr).toContain('chmod 600');
  });

  it.each(['constructor', 'prototype', '__proto__'])(
    'may be named %s, and stays when another one changes',
    async (name) => {
      const home = { XDG_CONFIG_HOME: join(folder, `of-${name}`) };
      const set = async (...more: readonly string[]) =>
        run(['profile', 'set', ...more], { env: home });
      expect(await set(name, '--client-id', 'named')).toMatchObject({ code: 0 });
      expect(await set('other', '--client-id', 'other')).toMatchObject({ code: 0 });
      const { stdout } = await run(['profile', 'list', '--json'], { env: home });
      expect(JSON.parse(stdout)).toEqual([
        { name, client_id: 'named' },
        { name: 'other', client_id: 'other' },
      ]);
    },
  );

  it.each([
    ['--issuer', 'x'],
    ['--issuer', 'ftp://as.example.com'],
    ['--issuer', 'http://example.com'],
    ['--origin', 'api.example.com'],
  ])('refuse %s %s when it is set, and keep nothing of it', async (option, value) => {
    const home = { XDG_CONFIG_HOME: join(folder, 'refused') };
    const { code, stderr } = await run(['profile', 'set', 'a', option, value], { env: home });
    expect([code, stderr]).toEqual([2, expect.stringMatching(`^holdfast: ${option}: `)]);
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });

  it('take a file that does not exist yet, with a warning', async () => {
    const home = { XDG_CONFIG_HOME: join(folder, 'early') };
    const args = ['profile', 'set', 'a', '--issuer', 'http://127.0.0.1:8080'];
    const files = ['--client-secret-file', '/nope', '--workload-token-file', '/nor'];
    const { code, stderr } = await run([...args, ...files], { env: home });
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^warning: The file \/nope cannot be read: it does not exist\.\nwarning: The file \/nor .*\nThe profile "a" is in/,
      ),
    ]);
  });

  it('take a secret that others can read, with a warning', async () => {
    const file = join(folder, 'open-secret');
    writeFileSync(file, secret, { mode: 0o644 });
    const args = ['profile', 'set', 'a', '--client-secret-file', file];
    const env = { XDG_CONFIG_HOME: join(folder, 'open') };
    const warning = `warning: Others may read ${file}: chmod 600 it.\n`;
    expect((await run(args, { env })).stderr).toContain(warning);
    chmodSync(file, 0o600);
    expect((await run(args, { env })).stderr).not.toContain('warning');
  });

  it.each([
    { fault: 'an unknown name', args: ['--profile', 'nobody', 'token'], env: {} },
    {
      fault: 'an unknown name in HOLDFAST_PROFILE',
      args: ['token'],
      env: { HOLDFAST_PROFILE: 'x' },
    },
    {
      fault: 'the name of a member of every object',
      args: ['token', '--profile', '__proto__'],
      env: {},
    },
    {
      fault: 'a secret in two places',
      args: ['token'],
      env: { HOLDFAST_CLIENT_SECRET: 'a', HOLDFAST_CLIENT_SECRET_FILE: '/dev/null' },
    },
  ])('$fault is a configuration fault', async ({ args, env }) => {
    expect(await run(args, { env })).toMatchObject({ code: 5, stdout: '' });
  });
});

describe('holdfast token', () => {
  it('prints a token that is bound to the key of the profile, the same key each time', async () => {
    const plain = await run(['token']);
    const json = await run(['token', '--json']);
    const { access_token, token_type, jkt, scope } = JSON.parse(json.stdout) as {
      [member: string]: string;
    };
    expect({ code: plain.code, token_type, scope }).toEqual({
      code: 0,
      token_type: 'DPoP',
      scope: 'read',
    });
    expect(decodeJwt(plain.stdout.trim())['cnf']).toEqual({ jkt });
    expect(decodeJwt(access_token ?? '')['cnf']).toEqual({ jkt });
  });

  it('ends with 3 when the server refuses, without the secret in its sentence', async () => {
    const wrong = 'w'.repeat(32);
    const refused = await run(['token'], { env: { HOLDFAST_CLIENT_SECRET: wrong } });
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr).toMatch(/^holdfast: /);
    expect(refused.stderr).not.toContain(wrong);
  });

  it('ends with 4 when the server cannot be reached', async () => {
    const issuer = `http://127.0.0.1:${await freePort()}`;
    expect(await run(['token', '--issuer', issuer])).toMatchObject({ code: 4, stdout: '' });
  });

  it.each([
    ['an unknown option', ['token', '--client-secret', 'x']],
    ['an unknown subcommand', ['tokens']],
    ['an argument too many', ['token', 'x']],
  ])('%s is a usage fault', async (_fault, args) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('holdfast decode', () => {
  it('shows header, claims, binding and a signature that verifies', async () => {
    const { stdout: token } = await runCommand(folder, ['token']);
    const decoded = await runCommand(folder, ['decode', '-', '--json'], { input: token });
    expect(decoded.code).toBe(0);
    expect(JSON.parse(decoded.stdout)).toMatchObject({
      header: { typ: 'at+jwt' },
      claims: { iss: server.issuer, aud: api.origin },
      binding: [expect.stringMatching(/^DPoP key with the thumbprint /)],
      signature: { result: 'valid' },
    });
    const table = await run(['decode'], { input: token });
    expect(table.stdout).toMatch(/^signature +valid \(the keys of /m);
    expect(table.stdout).toMatch(/^claims +exp +\d+ \(20\d\d-.*, in \d+ s\)$/m);
  });

  it('reads a token response, too', async () => {
    const { stdout: input } = await run(['token', '--json']);
    expect(await run(['decode'], { input })).toMatchObject({ code: 0 });
  });

  it('ends with 1 when the signature does not verify', async () => {
    const { stdout: token } = await run(['token']);
    const [header, claims, signature = ''] = token.trim().split('.');
    const input = `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const decoded = await run(['decode', '--json'], { input });
    expect(decoded.code).toBe(1);
    expect(JSON.parse(decoded.stdout)).toMatchObject({ signature: { result: 'invalid' } });
  });

  it('asks no server that only the token names', async () => {
    const { stdout: token } = await run(['token']);
    const decoded = await run(['decode', '--json', '--issuer', 'http://127.0.0.1:1'], {
      input: token,
    });
    expect(decoded.code).toBe(0);
    expect(JSON.parse(decoded.stdout)).toMatchObject({ signature: { result: 'not checked' } });
  });

  it('shows what the token says although nobody answers for its issuer, and ends with 4', async () => {
    const { stdout: token } = await run(['token']);
    const [header = '', , signature = ''] = token.trim().split('.');
    const claims = Buffer.from('{"iss":"http://127.0.0.1:1","sub":"app"}').toString('base64url');
    const input = `${header}.${claims}.${signature}`;
    const decoded = await run(['decode', '--issuer', 'http://127.0.0.1:1'], { input });
    expect(decoded.code).toBe(4);
    expect(decoded.stdout).toMatch(/^claims +sub +app$/m);
    expect(decoded.stdout).toMatch(
      /^signature +not checked \(no answer from http:\/\/127\.0\.0\.1:1\)$/m,
    );
    expect(decoded.stderr).toContain('http://127.0.0.1:1');
  });

  it('refuses a token among the arguments, which everybody can read', async () => {
    const { stdout: token } = await run(['token']);
    const refused = await run(['decode', token.trim()]);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).not.toContain(token.trim());
  });
});

describe('holdfast proof', () => {
  it('makes a proof that an API takes with the token (RFC 9449 §4.2)', async () => {
    const { stdout } = await run(['token']);
    const token = stdout.trim();
    const url = `${api.origin}/reports?year=2026`;
    const proof = await run(['proof', 'GET', url, '--token-file', '-'], { input: stdout });
    expect(proof).toMatchObject({ code: 0, stderr: '' });
    const dpop = proof.stdout.trim();
    const answer = await fetch(url, { headers: { authorization: `DPoP ${token}`, dpop } });
    expect(answer.status).toBe(200);
    const jkt = await calculateJwkThumbprint(decodeProtectedHeader(dpop).jwk as JWK);
    expect(decodeJwt(token)['cnf']).toEqual({ jkt });
  });

  it.each([
    ['get', 'GET'],
    ['Purge', 'Purge'],
  ])('takes %s for %s', async (given, htm) => {
    const { stdout } = await run(['proof', given, 'https://api.example.com']);
    expect(decodeJwt(stdout)['htm']).toBe(htm);
  });

  it('carries a nonce, and works with a key file alone', async () => {
    const key = join(folder, 'alone.json');
    const env = { XDG_CONFIG_HOME: join(folder, 'empty') };
    const url = 'https://api.example.com/a';
    const args = ['proof', 'POST', url, '--nonce', 'n1', '--key-file', key];
    const { code, stdout } = await run(args, { env });
    expect(code).toBe(0);
    expect(decodeJwt(stdout)).toMatchObject({ htm: 'POST', htu: url, nonce: 'n1' });
    expect(statSync(key).mode & 0o777).toBe(0o600);
  });
});

describe('holdfast doctor proof', () => {
  const captured = async (args: readonly string[] = []) => {
    const { stdout: token } = await run(['token']);
    const url = `${api.origin}/reports`;
    const { stdout: proof } = await run(['proof', 'GET', url, '--token-file', '-', ...args], {
      input: token,
    });
    return { url, token: token.trim(), proof: proof.trim() };
  };

  it('finds no fault in an honest request as curl -v shows it', async () => {
    const { url, token, proof } = await captured();
    const input = `> GET /reports HTTP/1.1\n> Authorization: DPoP ${token}\n> dpop: ${proof}\n>\n`;
    const healthy = await run(['doctor', 'proof', 'GET', url], { input });
    expect(healthy).toMatchObject({ code: 0, stderr: '' });
    expect(healthy.stdout).not.toContain(token.split('.')[2]);
  });

  it.each(['5', '2026-02-30T00:00:00Z'])('refuses --at %s', async (at) => {
    const args = ['doctor', 'proof', 'GET', 'https://api.example.com', '--at', at];
    expect(await run(args, { input: 'DPoP: x\n' })).toMatchObject({
      code: 2,
      stderr: 'holdfast: --at takes a time such as 2026-11-24T09:00:00Z.\n',
    });
  });

  it('names every fault by its rule of RFC 9449 §4.3 and ends with 6', async () => {
    const { url, token, proof } = await captured(['--nonce', 'old']);
    const input = `DPoP: ${proof}\nDPoP: ${proof}\nAuthorization: Bearer ${token}x\n`;
    const args = ['doctor', 'proof', 'POST', `${url}/2`, '--nonce', 'new', '--json'];
    const ill = await run([...args, '--at', '2030-01-01T00:00:00Z'], { input });
    expect(ill.code).toBe(6);
    const faults = (JSON.parse(ill.stdout) as { rule: string; about: string; result: string }[])
      .filter(({ result }) => result === 'fault')
      .map(({ rule, about }) => `${rule} ${about}`);
    expect(faults).toEqual([
      '1 one DPoP field',
      '8 htm',
      '9 htu',
      '10 nonce',
      '11 iat',
      '§7.1 scheme',
      '12 ath',
    ]);
  });

  it.each([
    ['no header fields', '', 2],
    ['no proof', 'Accept: */*\n', 6],
    ['a proof that is no JWT', 'DPoP: abc\n', 6],
  ])('%s', async (_case, input, code) => {
    expect(await run(['doctor', 'proof', 'GET', 'https://a.example'], { input })).toMatchObject({
      code,
    });
  });
});

describe('a profile without a secret', () => {
  it('authenticates by the key that it registered (RFC 7523)', async () => {
    const more = ['--client-id', 'by-key', '--resource', api.origin];
    await run(['profile', 'set', 'by-key', '--issuer', server.issuer, ...more]);
    const { stdout } = await run(['profile', 'show', 'by-key', '--json']);
    const { public_jwk } = JSON.parse(stdout) as { public_jwk: object };
    await server.admin('POST', 'clients', {
      client_id: 'by-key',
      token_endpoint_auth_method: 'private_key_jwt',
      scope: 'read',
      jwks: { keys: [public_jwk] },
    });
    expect(await run(['token', '--profile', 'by-key'])).toMatchObject({ code: 0 });
    writeFileSync(join(folder, 'secret'), `${secret}\n`);
    const env = { HOLDFAST_CLIENT_SECRET_FILE: join(folder, 'secret') };
    expect(await run(['--profile', 'default', 'token'], { env })).toMatchObject({ code: 0 });
  });
});

it('holdfast serve --help names the page of all variables', async () => {
  const { stdout } = await run(['serve', '--help']);
  expect(stdout).toContain('docs/reference/configuration.md lists all of them.');
});
