import { chmodSync, chownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { testServer } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

const other = 65_534;
let folder: string;
let store: TestStore;
beforeEach(async () => {
  folder = scratchFolder();
  store = await onSqlite.make();
});
afterEach(async () => {
  await store.remove();
  rmSync(folder, { recursive: true });
});

it.for([
  { what: 'a read-only file', spoil: (file: string) => chmodSync(file, 0o400), at: '' },
  { what: 'a read-only folder', spoil: (file: string) => chmodSync(dirname(file), 0o500), at: '/' },
  {
    what: 'a log of root',
    spoil(file: string) {
      // SQLite may have removed it with the last connection.
      writeFileSync(`${file}-wal`, '', { flag: 'a' });
      chownSync(`${file}-wal`, 0, 0);
    },
    at: '-wal',
  },
])(
  'the start with $what is refused in a sentence',
  { timeout: 30_000 },
  async ({ spoil, at }, { skip }) => {
    skip(process.getuid?.() !== 0, 'only root may act as another user');
    await (await testServer({ store })).stop();
    const file = (store.env['DATABASE_URL'] ?? '').slice('file:'.length);
    const data = dirname(file);
    for (const name of ['', ...readdirSync(data)]) chownSync(join(data, name), other, other);
    spoil(file);
    const path = at === '/' ? data : `${file}${at}`;
    const env = { ...store.env, PORT: '0', ADMIN_PORT: '0' };
    expect(await runCommand(folder, ['serve'], { env, uid: other })).toEqual({
      code: 1,
      stdout: '',
      stderr: `Holdfast did not start.\nThe SQLite file ${file} is read-only for this user (${path}: EACCES). Give it and its folder to the server's user, or mount its file system for writing.\n`,
    });
  },
);
