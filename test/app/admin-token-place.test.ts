import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

it('the first start says how to replace a lost token', async () => {
  expect(await printed()).toContain('Lost it? Run: holdfast admin-token reset');
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
