import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import type { AuditEvent } from '../../src/domain/audit-event.ts';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { acquireWriteLock } from '../../src/store/connection/write-lock.ts';
import { openStores } from '../../src/store/stores.ts';
import { onSqlite, type TestStore } from '../support/stores.ts';

const now = 1_790_000_000;
const use = () => ({
  key: randomBytes(32).toString('base64url'),
  expiresAt: now + 90,
  acceptableFrom: now - 30,
});
const event = (): AuditEvent & { id: string } => ({
  id: timeOrderedId(now * 1000),
  type: 'token_issued',
  actor: 'client:app',
  client_id: 'app',
  jkt: randomBytes(32).toString('base64url'),
});

let store: TestStore;
const lines: string[] = [];
let stores: Awaited<ReturnType<typeof openStores>>;
const file = () => String(store.env['DATABASE_URL']).slice('file:'.length);
const open = async () => {
  const logger = pino({}, { write: (line: string) => void lines.push(line) });
  stores = await openStores(readConfig(store.env), {
    logger,
    clock: () => now * 1000,
    peers: noPeers,
  });
};
const issue = async (of = event()) => stores.issuances.commit([use()], of);
const recorded = async (id: string) =>
  (await stores.audit.list({ limit: 1000 })).some((one) => one.id === id);

beforeEach(async () => {
  lines.length = 0;
  store = await onSqlite.make();
  await open();
});
afterEach(async () => {
  await stores.close();
  await store.remove();
});

it('a thread that ends takes nothing with it: what waited fails, the log says so, and the next issuance has a new one', async () => {
  const threads: Worker[] = [];
  const started = (thread: Worker) => void threads.push(thread);
  process.on('worker', started);
  await issue();
  const waiting = issue().catch((error: Error) => error.message);
  // The thread is idle: ending one inside the driver can crash the process.
  await threads[0]?.terminate();
  const outcome = await waiting;
  const next = await issue();
  process.off('worker', started);
  expect([true, 'database is unavailable']).toContain(
    Array.isArray(outcome) ? outcome[0] : outcome,
  );
  expect([next, threads.length]).toEqual([[true], 2]);
  expect(lines.join('')).toContain('store connection lost');
});

it('all who write in this process take turns: none waits for another within SQLite', async () => {
  const end = await acquireWriteLock(file());
  const done: string[] = [];
  const writes = [
    issue().then(() => done.push('issuance')),
    stores.audit.record(event()).then(() => done.push('record')),
    stores.nonceSecrets.replaceNonceSecrets('x', 'y', event()).then(() => done.push('change')),
  ];
  await stores.pingDatabase();
  await sleep(50);
  expect(done).toEqual([]);
  end();
  await Promise.all(writes);
  expect(done.toSorted()).toEqual(['change', 'issuance', 'record']);
});

it.each([
  ['handed over', 1, [true]],
  ['not yet handed over', 0, [true, false]],
])('what was %s at a stop is written, or fails', async (_, turns, possible) => {
  const last = event();
  const issued = issue(last).then(
    () => true,
    () => false,
  );
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  await stores.close();
  const outcome = await issued;
  await open();
  expect(await recorded(last.id)).toBe(outcome);
  expect(possible).toContain(outcome);
});

it('the write-ahead log starts over under load', { timeout: 60_000 }, async () => {
  for (let round = 0; round < 60; round++)
    await Promise.all(Array.from({ length: 250 }, async () => issue()));
  expect(statSync(`${file()}-wal`).size).toBeLessThan(30 * 2 ** 20);
});
