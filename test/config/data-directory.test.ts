import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { serverConfig } from '../../src/cli/backup.ts';
import { serveVariables } from '../../src/cli/serve-command.ts';
import { readConfig } from '../../src/config/config.ts';
import { adminTokenFile } from '../../src/config/store-config.ts';
import { scratchFolder } from '../support/scratch.ts';

const url = 'postgresql://holdfast:secret@127.0.0.1/holdfast';
const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const urlFile = join(folder, 'url');
writeFileSync(urlFile, `${url}\n`);

it.each([
  { of: 'DATABASE_URL', env: { DATABASE_URL: url } },
  { of: 'DATABASE_URL_FILE', env: { DATABASE_URL_FILE: urlFile } },
])('with PostgreSQL by $of, the data directory has the keys and the admin token', ({ env }) => {
  const { databaseUrl, keyEncryptionKeyFile } = serverConfig({ env }, { dataDirectory: 'there' });
  expect(databaseUrl).toBe(url);
  expect(keyEncryptionKeyFile).toBe(resolve('there/holdfast.key-encryption-key'));
  expect(adminTokenFile(keyEncryptionKeyFile)).toBe(resolve('there/holdfast.admin-token'));
});

it('the default folder is the same with both databases', () => {
  const home = { XDG_DATA_HOME: folder };
  const key = join(folder, 'holdfast/holdfast.key-encryption-key');
  expect(serverConfig({ env: home }, {}).keyEncryptionKeyFile).toBe(key);
  expect(serveVariables({ ...home, DATABASE_URL: url }, {}, folder)).toEqual({
    KEY_ENCRYPTION_KEY_FILE: key,
  });
});

it('a key that 0.1.0 put into ./data is used on, unless a data directory is given', () => {
  const before = join(folder, 'data');
  mkdirSync(before);
  writeFileSync(join(before, 'holdfast.key-encryption-key'), '');
  const env = { DATABASE_URL: url };
  expect(serveVariables(env, {}, before)).toEqual({});
  expect(serveVariables(env, { dataDirectory: folder }, before)).toEqual({
    KEY_ENCRYPTION_KEY_FILE: join(folder, 'holdfast.key-encryption-key'),
  });
});

it('KEY_ENCRYPTION_KEY_FILE decides before the data directory', () => {
  const env = { DATABASE_URL: url, KEY_ENCRYPTION_KEY_FILE: join(folder, 'key') };
  const options = { dataDirectory: 'there' };
  expect(serverConfig({ env }, options).keyEncryptionKeyFile).toBe(join(folder, 'key'));
});

it('the data directory moves no key away from a SQLite file', () => {
  const env = { DATABASE_URL: `file:${join(folder, 'own.db')}` };
  const { keyEncryptionKeyFile } = serverConfig({ env }, { dataDirectory: 'there' });
  expect(keyEncryptionKeyFile).toBe(join(folder, 'own.key-encryption-key'));
});

it.each([
  [{ DATABASE_URL: 'file:data/own.db' }, 'data/own.key-encryption-key'],
  [{ DATABASE_URL: url }, 'data/holdfast.key-encryption-key'],
  [{ DATABASE_URL: url, KEY_ENCRYPTION_KEY_FILE: 'key' }, 'key'],
])('%j: the path of the key-encryption key is absolute', (env, path) => {
  expect(readConfig(env).keyEncryptionKeyFile).toBe(resolve(path));
});
