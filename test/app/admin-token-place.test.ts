import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testServer } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

let store: TestStore;
let file: string;
beforeEach(async () => {
  store = await onSqlite.make();
  file = join(
    dirname((store.env['DATABASE_URL'] ?? '').slice('file:'.length)),
    'holdfast.admin-token',
  );
});
afterEach(async () => store.remove());

/** What a start prints that makes or finds the first admin token itself. */
async function printed(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = await testServer({ store, env: { ADMIN_TOKEN: '', ...env } });
  await server.stop();
  return server.printed.join('');
}
const place = () => `\n  its token  in ${file}\n`;

it.each(['holdfast.db', 'other.db'])(
  'the first start says how to replace a lost token of %s, and the command works',
  async (name) => {
    const url = `file:${join(dirname(file), 'new', name)}`;
    store = { ...store, env: { ...store.env, DATABASE_URL: url } };
    const [, command = ''] = /Lost it\? Run: (.*)\)\n/.exec(await printed()) ?? [];
    expect(command).toContain('npx holdfast admin-token reset');
    expect(command.includes('--data-directory')).toBe(name === 'holdfast.db');
    // As npx does in a checkout, without npm.
    const script = command.replace('npx holdfast', `${process.execPath} bin/holdfast.js`);
    const { HOME = '' } = process.env;
    const run = { env: { HOME, PATH: process.env['PATH'] } };
    const { stdout } = await promisify(execFile)('bash', ['-c', script], run);
    expect(stdout).toMatch(/^hfadm_/);
  },
);

it('a first start with CONFIG_FILE does not say how to register a client', async () => {
  const config = join(dirname(file), 'holdfast.yaml');
  writeFileSync(config, 'resource_servers: [{ audience: https://api.example.com }]');
  const text = await printed({ CONFIG_FILE: config });
  expect(text).toContain('admin token  in ');
  expect(text).not.toContain('Register');
});

it('a start after a first one that failed says where the admin token is, and not what', async () => {
  const config = join(dirname(file), 'holdfast.yaml');
  writeFileSync(config, 'clients: [{ client_id: a, scoop: read }]');
  await expect(printed({ CONFIG_FILE: config })).rejects.toThrow(/scoop/);
  expect(existsSync(file)).toBe(true);
  const text = await printed();
  expect(text).toContain(place());
  expect(text).not.toContain('hfadm_');
});

it.each([
  { when: 'is gone', change: () => rmSync(file) },
  { when: 'has another token', change: () => writeFileSync(file, `hfadm_${'A'.repeat(43)}\n`) },
])('a start names no file that $when', async ({ change }) => {
  await printed();
  expect(await printed()).toContain(place());
  change();
  expect(await printed()).not.toContain('its token');
});

it('a start names no file once another admin has ended the first token', async () => {
  await printed();
  const token = readFileSync(file, 'utf8').trim();
  const server = await testServer({ store, env: { ADMIN_TOKEN: '' } });
  const made = await server.admin(
    'POST',
    'admin-tokens',
    { name: 'anna', scopes: ['admin:read', 'admin:grant'] },
    { authorization: `Bearer ${token}` },
  );
  const named = { authorization: `Bearer ${made.body.token}` };
  expect((await server.admin('GET', 'admin-tokens', undefined, named)).status).toBe(200);
  await server.stop();
  expect(await printed()).not.toContain('its token');
});

it('a start with ADMIN_TOKEN names no file', async () => {
  await printed();
  expect(await printed({ ADMIN_TOKEN: 'b'.repeat(32) })).not.toContain('its token');
});
