import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { scratchFolder } from '../support/scratch.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

/** Another program: POSIX locks are of a process, so it cannot be this one. */
const program = `
import { DatabaseSync } from 'node:sqlite';
const database = new DatabaseSync(process.argv[2], { timeout: 5000 });
const answers = {
  hold: () => database.exec('begin immediate'),
  release: () => database.exec('rollback'),
  count: () => database.prepare('select count(*) as n from audit_event').get().n,
  write: () => {
    database.exec('pragma busy_timeout = 0');
    database.exec('begin immediate');
    database.exec('rollback');
  },
};
process.on('message', (asked) => {
  try {
    process.send(answers[asked]() ?? 'done');
  } catch (error) {
    process.send(error.message);
  }
});
`;

const now = 1_790_000_000_000;
const folder = scratchFolder();
let store: TestStore;
let stores: Awaited<ReturnType<typeof openStores>>;
let other: ChildProcess;
const ask = async (what: string): Promise<unknown> => {
  other.send(what);
  return (await once(other, 'message'))[0];
};

beforeEach(async () => {
  store = await onSqlite.make();
  const logger = pino({ level: 'silent' });
  stores = await openStores(readConfig(store.env), { logger, clock: () => now, peers: noPeers });
  const path = join(folder, 'other.mjs');
  writeFileSync(path, program);
  other = fork(path, [String(store.env['DATABASE_URL']).slice('file:'.length)]);
});
afterEach(async () => {
  other.kill();
  await stores.close();
  await store.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('a write that waited for another program in vain leaves no lock, and what is written next is committed', async () => {
  const record = async () =>
    stores.audit.record({ id: timeOrderedId(now), type: 'client_created', actor: 'admin' });
  await record();
  await ask('hold');
  await expect(record()).rejects.toThrow('database is unavailable');
  await ask('release');
  await record();
  expect([await ask('count'), await ask('write')]).toEqual([2, 'done']);
});
