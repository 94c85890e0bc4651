import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'libsql';
import { afterEach, expect, it } from 'vitest';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken } from '../support/server.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

it.each([
  ['server', {}],
  ['server with two processes', { WORKERS: '2' }],
])(
  'a plain copy of the SQLite file of a stopped %s has everything that was written',
  { timeout: 60_000 },
  async (_, env) => {
    const folder = scratchFolder();
    folders.push(folder);
    const [file, copy] = [join(folder, 'holdfast.db'), join(folder, 'copy.db')];
    const server = await startProcess(
      { ...env, DATABASE_URL: `file:${file}` },
      await freeAddress(),
    );
    const registered = await fetch(`${server.adminUrl}/clients`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'last' }),
    });
    expect(registered.status).toBe(201);
    expect(await server.end('SIGTERM')).toBe(0);
    copyFileSync(file, copy);
    const database = new SqliteDatabase(copy);
    expect(database.prepare('select client_id from client').all()).toEqual([{ client_id: 'last' }]);
    database.close();
  },
);
