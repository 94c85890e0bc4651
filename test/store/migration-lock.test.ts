import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openDatabase } from '../../src/store/connection/database.ts';
import { openStores } from '../../src/store/stores.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

let store: TestStore;
beforeEach(async () => {
  store = await onSqlite.make();
});
afterEach(async () => store.remove());
const url = () => store.env['DATABASE_URL'] ?? '';
const lockFile = () => `${url().slice('file:'.length)}.migrating`;

it.each([
  { lock: 'no database', spoil: (file: string) => writeFileSync(file, 'x'.repeat(5000)) },
  { lock: 'a folder', spoil: (file: string) => mkdirSync(file) },
])('a lock file that is $lock is refused immediately', async ({ spoil }) => {
  spoil(lockFile());
  await expect(openDatabase(url(), () => undefined)).rejects.toThrow(/cannot be opened, created/);
});

it('a folder in the place of the database is refused immediately', async () => {
  rmSync(url().slice('file:'.length));
  mkdirSync(join(url().slice('file:'.length)));
  await expect(openDatabase(url(), () => undefined)).rejects.toThrow(/cannot be opened, created/);
});

it('a start that waits for the migration of another process says so', async () => {
  const other = await new PrismaLibSql({ url: `file:${lockFile()}` }).connect();
  const transaction = await other.startTransaction();
  await transaction.executeRaw({ sql: 'create table lock (id)', args: [], argTypes: [] });
  const lines: string[] = [];
  const opening = openStores(readConfig(store.env), {
    logger: pino({}, { write: (line: string) => void lines.push(line) }),
    clock: Date.now,
    peers: noPeers,
  });
  await expect
    .poll(() => lines.join(''), { timeout: 10_000 })
    .toMatch(/waiting for the database: .*another process/);
  await transaction.rollback();
  await other.dispose();
  await (await opening).close();
});
