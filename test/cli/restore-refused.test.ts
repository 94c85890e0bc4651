import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { testServer } from '../support/server.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

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

/** A database that no server uses, and its backup. */
async function madeBackup() {
  const server = await testServer({ store, clock: { now: Date.now() }, databaseClock: 'real' });
  const file = join(folder, 'copy.db');
  expect(await runCommand(folder, ['backup', file], { env: { ...store.env } })).toMatchObject({
    code: 0,
  });
  await server.stop();
  return { file, database: (store.env['DATABASE_URL'] ?? '').slice(5) };
}

describe('holdfast restore changes nothing', () => {
  it('where SQLite cannot say whether a server has the database open', async () => {
    const { file, database } = await madeBackup();
    rmSync(database);
    mkdirSync(database);
    const tried = await runCommand(folder, ['restore', file], { env: { ...store.env } });
    expect(tried).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        / could not be opened alone \(.*: 14"\)\)\. Nothing was changed/,
      ),
    });
    expect(statSync(database).isDirectory()).toBe(true);
  });

  it.for([
    ['cannot read', 0o600],
    ['can only read', 0o644],
    ['can write', 0o666],
  ] as const)(
    'as a user who does not own the database and %s it',
    async ([_case, mode], { skip }) => {
      skip(process.getuid?.() !== 0, 'only root may act as another user');
      const { file, database } = await madeBackup();
      const data = dirname(database);
      for (const name of readdirSync(data)) chmodSync(join(data, name), 0o644);
      for (const each of [folder, data]) chmodSync(each, 0o777);
      chmodSync(file, 0o644);
      chmodSync(database, mode);
      const before = readFileSync(database);
      const as = { env: { ...store.env }, uid: 65_534 };
      expect(await runCommand(folder, ['restore', file], as)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/ belongs to another user.* Nothing was changed/),
      });
      expect(readFileSync(database).equals(before)).toBe(true);
      expect(statSync(database).uid).toBe(process.getuid?.());
    },
  );
});
