import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminApi } from '../../src/cli/admin-api.ts';
import { openStranger } from '../support/api.ts';
import { freePort } from '../support/ports.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, type TestServer, testServer } from '../support/server.ts';

const folder = scratchFolder();
let server: TestServer;
let env: Record<string, string>;
beforeAll(async () => {
  server = await testServer();
  writeFileSync(join(folder, 'token'), `${adminToken}\n`);
  env = {
    HOLDFAST_ADMIN_URL: `${server.adminUrl}/`,
    HOLDFAST_ADMIN_TOKEN_FILE: join(folder, 'token'),
  };
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const clients = { method: 'GET', path: ['clients'] };

describe('the admin API as subcommands use it', () => {
  it('sends JSON with the token of a file, and answers JSON', async () => {
    const api = await adminApi({ env });
    const body = { audience: 'https://api.example.com', scopes: ['read'] };
    const made = await api({ method: 'POST', path: ['resource-servers'], body });
    expect(made).toMatchObject({ status: 201, body: { scopes: ['read'] } });
    expect(made.headers.get('etag')).not.toBeNull();
    const { id } = made.body as { id: string };
    const removed = await api({ method: 'DELETE', path: ['resource-servers', id] });
    expect(removed).toMatchObject({ status: 204, body: undefined });
  });

  it.each(['/admin', '/admin/', '/'])('takes a URL that ends with %s', async (ending) => {
    const api = await adminApi({ env }, `${server.adminUrl}${ending}`);
    expect(await api(clients)).toMatchObject({ status: 200 });
  });

  it('a refusal has every fault and exit code 3', async () => {
    const api = await adminApi({ env });
    const body = { audience: 7, scopes: 7 };
    const refused = api({ method: 'POST', path: ['resource-servers'], body });
    await expect(refused).rejects.toMatchObject({
      exitCode: 3,
      status: 400,
      problem: { errors: [{ member: 'audience' }, { member: 'scopes' }] },
      message: expect.stringMatching(/^The admin API answered 400: .*\n {2}audience: .*\n/),
    });
  });

  it('encodes names, and refuses those that a URL would resolve', async () => {
    const api = await adminApi({ env });
    const named = async (name: string) => api({ method: 'GET', path: ['clients', name] });
    await expect(named('../resource-servers')).rejects.toMatchObject({ exitCode: 3, status: 404 });
    await expect(named('..')).rejects.toMatchObject({ exitCode: 2 });
  });

  it.each([
    ['a wrong token', { HOLDFAST_ADMIN_TOKEN: 'w'.repeat(32), HOLDFAST_ADMIN_TOKEN_FILE: '' }, 3],
    ['no server', { HOLDFAST_ADMIN_URL: 'http://127.0.0.1:1' }, 4],
    ['no token', { HOLDFAST_ADMIN_TOKEN_FILE: '' }, 5],
    ['a token in two places', { HOLDFAST_ADMIN_TOKEN: 'a' }, 5],
    ['a token that is no header value', { HOLDFAST_ADMIN_TOKEN_FILE: import.meta.filename }, 5],
  ])('%s', async (_case, more, exitCode) => {
    const asked = async () => (await adminApi({ env: { ...env, ...more } }))(clients);
    await expect(asked()).rejects.toMatchObject({ exitCode });
  });

  it('sends the token neither along a redirect nor over plain HTTP to another machine', async () => {
    const stranger = await openStranger();
    const redirecting = await openStranger();
    const api = await adminApi({ env }, redirecting.origin);
    const query = { to: `${stranger.origin}/` };
    await expect(api({ ...clients, query })).rejects.toMatchObject({ exitCode: 4 });
    expect([redirecting.seen.length, stranger.seen.length]).toEqual([1, 0]);
    const plain = adminApi({ env }, `http://as.example.com:${await freePort()}`);
    await expect(plain).rejects.toThrow('only https is allowed');
    await Promise.all([stranger.close(), redirecting.close()]);
  });

  it.each([
    ['127.0.0.1:8081', /^HOLDFAST_ADMIN_URL: .*is not a URL with https:\/\/ or http:\/\//],
    ['http://example.com', /^HOLDFAST_ADMIN_URL: only https is allowed, and http on this machine/],
    ['https://a:hush@example.com', /^HOLDFAST_ADMIN_URL: (?!.*hush)/],
  ])('%s in HOLDFAST_ADMIN_URL is a fault that names it, as in the option', async (url, says) => {
    const variable = adminApi({ env: { ...env, HOLDFAST_ADMIN_URL: url } });
    await expect(variable).rejects.toMatchObject({
      exitCode: 5,
      message: expect.stringMatching(says),
    });
    await expect(adminApi({ env }, url)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/^--admin-url: (?!.*hush)/),
    });
  });

  it('says that a token is not accepted, and that the public listener is not the admin API', async () => {
    const wrong = { HOLDFAST_ADMIN_TOKEN: 'w'.repeat(32), HOLDFAST_ADMIN_TOKEN_FILE: '' };
    const refused = await adminApi({ env: { ...env, ...wrong } });
    await expect(refused(clients)).rejects.toThrow(
      'The admin API answered 401: the admin token is not accepted',
    );
    const elsewhere = await adminApi({ env }, server.url);
    await expect(elsewhere(clients)).rejects.toMatchObject({
      exitCode: 3,
      message: `The server at ${server.url} answered 404, but it is not the admin API: check HOLDFAST_ADMIN_URL or --admin-url.`,
    });
  });
});
