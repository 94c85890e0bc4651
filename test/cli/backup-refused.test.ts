import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseArgument } from '../../src/cli/postgresql-dump.ts';
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
const run = async (args: readonly string[], uid?: number) =>
  runCommand(folder, args, { env: { ...store.env }, ...(uid !== undefined && { uid }) });

/** A database that no server uses, and its backup. */
async function madeBackup() {
  const server = await testServer({ store, clock: { now: Date.now() }, databaseClock: 'real' });
  const file = join(folder, 'copy.db');
  expect(await run(['backup', file])).toMatchObject({ code: 0 });
  await server.stop();
  return { file, database: (store.env['DATABASE_URL'] ?? '').slice(5) };
}

const commands = [
  ['restore', (file: string) => ['restore', file]],
  ['backup --check', (file: string) => ['backup', '--check', file]],
] as const;

describe.each(commands)('holdfast %s', (_name, command) => {
  it('says in a sentence that a backup is not a file', async () => {
    const file = join(folder, 'folder.db');
    mkdirSync(file);
    const stderr = `holdfast: ${file} is not a file.\n`;
    expect(await run(command(file))).toEqual({ code: 1, stdout: '', stderr });
  });

  it('says in a sentence that there is no backup', async () => {
    const file = join(folder, 'none.db');
    const stderr = `holdfast: There is no file ${file}.\n`;
    expect(await run(command(file))).toEqual({ code: 1, stdout: '', stderr });
  });

  it('says in a sentence that a backup cannot be read', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'only root may act as another user');
    const { file } = await madeBackup();
    chmodSync(folder, 0o777);
    const stderr = `holdfast: ${file} cannot be read (EACCES). Run this as a user who may read it.\n`;
    expect(await run(command(file), 65_534)).toEqual({ code: 1, stdout: '', stderr });
  });

  it('says once what to do if the key-encryption key is missing', async () => {
    const { file, database } = await madeBackup();
    const key = database.replace(/\.db$/, '.key-encryption-key');
    rmSync(key);
    const { code, stderr } = await run(command(file));
    expect([code, stderr]).toEqual([
      1,
      `holdfast: ${file}: key-encryption key: The database holds encrypted keys, but the key-encryption key ${key} is missing. Give the right key: --data-directory, KEY_ENCRYPTION_KEY or KEY_ENCRYPTION_KEY_FILE.\n`,
    ]);
  });
});

it('holdfast backup says in a sentence that the database cannot be read', async ({ skip }) => {
  skip(process.getuid?.() !== 0, 'only root may act as another user');
  const { database } = await madeBackup();
  for (const each of [folder, dirname(database)]) chmodSync(each, 0o777);
  const stderr = `holdfast: ${database} cannot be read (EACCES). Run this as a user who may read it.\n`;
  expect(await run(['backup', join(folder, 'new.db')], 65_534)).toEqual({
    code: 1,
    stdout: '',
    stderr,
  });
  expect(readdirSync(folder).filter((name) => name.startsWith('new'))).toEqual([]);
});

it('holdfast admin-token reset says in a sentence that the database is read-only', async ({
  skip,
}) => {
  skip(process.getuid?.() !== 0, 'only root may act as another user');
  const { database } = await madeBackup();
  const data = dirname(database);
  for (const name of readdirSync(data)) chmodSync(join(data, name), 0o644);
  for (const each of [folder, data]) chmodSync(each, 0o777);
  const { code, stderr } = await run(['admin-token', 'reset'], 65_534);
  expect([code, stderr]).toEqual([
    1,
    `holdfast: The SQLite file ${database} is read-only for this user (${database}: EACCES). Give it and its folder to the server's user, or mount its file system for writing.\n`,
  ]);
});

it('holdfast backup says that the folder does not exist', async () => {
  await (await testServer({ store })).stop();
  const stderr = 'holdfast: The folder backup does not exist.\n';
  expect(await run(['backup', 'backup/copy.db'])).toEqual({ code: 1, stdout: '', stderr });
});

it.each(['backup', 'admin-token'])(
  'holdfast %s names the database that it looked for, and the option for another',
  async (name) => {
    const args = name === 'backup' ? ['backup', 'x.db'] : ['admin-token', 'reset'];
    const { code, stderr } = await runCommand(folder, args);
    expect(code).toBe(1);
    expect(stderr).toContain(`${join(folder, 'data/holdfast/holdfast.db')}`);
    expect(stderr).toContain('--data-directory');
  },
);

const secret = 'postgresql://holdfast:secret@db.example.com/holdfast';
it.each([
  ['', '-d "$DATABASE_URL"'],
  ['?sslmode=require', '-d "$DATABASE_URL"'],
])('of DATABASE_URL%s everything goes to pg_dump', (query, expected) => {
  expect(databaseArgument({ env: {} }, `${secret}${query}`)).toBe(expected);
});

it.each(commands)(
  'holdfast %s says in sentences what is wrong with a variable',
  async (_, command) => {
    const env = { ...store.env, ISSUER: 'nothing' };
    const { code, stderr } = await runCommand(folder, command('copy.db'), { env });
    expect([code, stderr]).toEqual([
      5,
      expect.stringMatching(/^holdfast: The environment has faults:\n {2}- ISSUER must be an http/),
    ]);
    expect(stderr).not.toMatch(/defect|\n\s+at /);
  },
);
