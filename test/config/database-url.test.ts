import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { databaseFile, fileUrl } from '../../src/config/database-url.ts';
import { testServer } from '../support/server.ts';

it.each([
  ['file:data/holdfast.db', 'data/holdfast.db'],
  ['file:/var/lib/hold%20fast.db', '/var/lib/hold fast.db'],
  ['file:///var/lib/holdfast.db', '/var/lib/holdfast.db'],
  ['file://localhost/var/lib/holdfast.db', '/var/lib/holdfast.db'],
  ['file:/a%25b%23c%3Fd.db', '/a%b#c?d.db'],
  ['file:/%C5%81%C3%B3d%C5%BA.db', '/Łódź.db'],
])('RFC 8089: %s is the file %s', (url, file) => {
  expect(databaseFile(url)).toBe(file);
  expect(databaseFile(fileUrl(file))).toBe(file);
});

it.each([
  ['file:x.db?connection_limit=1', 'a query (connection_limit), of which none is known'],
  ['file:x.db?', 'a query (after ?), of which none is known'],
  ['file:x#1.db', 'a fragment: write # in a file name as %23'],
  ['file:100%.db', 'a % that encodes nothing: write % in a file name as %25'],
  ['file://db.example.com/x.db', 'a host other than localhost'],
  ['file://', 'no path of a file'],
  ['file::memory:', 'no path of a file'],
  ['file:data/', 'no path of a file'],
])('DATABASE_URL=%s is refused by name', (url, sentence) => {
  expect(() => readConfig({ DATABASE_URL: url })).toThrow(`DATABASE_URL has ${sentence}`);
});

it.each(['hold fast.db', 'a%20b.db', 'a#b?c.db'])(
  'the database, its lock and the key-encryption key lie beside each other: %s',
  async (name) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-url-'));
    const store = {
      env: { DATABASE_URL: fileUrl(join(folder, name)) },
      remove: async () => undefined,
    };
    const server = await testServer({ store });
    await server.stop();
    const again = await testServer({ store });
    await again.stop();
    expect(existsSync(join(folder, name))).toBe(true);
    const stem = name.replace(/\.db$/, '');
    for (const file of readdirSync(folder)) expect(file.startsWith(stem)).toBe(true);
    expect(readdirSync(folder)).toContain(`${stem}.key-encryption-key`);
    rmSync(folder, { recursive: true });
  },
);

it('a file of another program is refused, and gets no file beside it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-url-'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "another program" }'.padEnd(200));
  const env = { DATABASE_URL: fileUrl(join(folder, 'package.json')) };
  const store = { env, remove: async () => undefined };
  await expect(testServer({ store })).rejects.toThrow('cannot be opened, created or written');
  expect(readdirSync(folder)).toEqual(['package.json']);
  rmSync(folder, { recursive: true });
});
