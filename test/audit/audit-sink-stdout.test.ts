import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freeAddress } from '../support/process.ts';
import { adminToken, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite } from '../support/stores.ts';

const root = join(import.meta.dirname, '../..');

describe('AUDIT_SINK=stdout when nobody reads standard output any more', () => {
  it.each([
    ['dist/main.js', [], {}],
    ['bin/holdfast.js', ['serve'], {}],
    ['bin/holdfast.js', ['--profile', 'x', 'serve'], {}],
    ['dist/main.js', [], { WORKERS: '2' }],
  ])('%s %j %j serves on, and keeps the events', async (program, args, more) => {
    const store = await onSqlite.make();
    const old = await testServer({ store, clock: { now: Date.now() - 3_600_000 } });
    await old.admin('POST', 'clients', { client_id: 'a', client_secret: 's'.repeat(32) });
    await old.stop();
    const { port, adminPort } = await freeAddress();
    const child = spawn(process.execPath, [join(root, program), ...args], {
      env: {
        PATH: process.env['PATH'],
        ...store.env,
        ISSUER: `http://127.0.0.1:${port}`,
        HOST: '127.0.0.1',
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        ADMIN_TOKEN: adminToken,
        AUDIT_SINK: 'stdout',
        ...more,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.destroy();
    const sink = async () => (await execute(store, 'select position, holder from audit_sink'))[0];
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    const ready = async () =>
      (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined))?.status;
    try {
      // Whoever could not deliver gives it back.
      while (!hasEnded() && ((await sink())?.[1] !== null || (await ready()) !== 200))
        await sleep(50);
      expect(await sink()).toEqual(['', null]);
      expect(await ready()).toBe(200);
    } finally {
      child.kill('SIGTERM');
      if (!hasEnded()) await once(child, 'exit');
    }
    expect(child.exitCode).toBe(0);
    await store.remove();
  });
});
