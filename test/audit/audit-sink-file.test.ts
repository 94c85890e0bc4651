import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, it } from 'vitest';
import { scratchFolder } from '../support/scratch.ts';
import { startOfTime, type TestServer, testServer } from '../support/server.ts';

const root = scratchFolder();
const servers: TestServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map(async (server) => server.stop()));
  rmSync(root, { recursive: true });
});

/** A folder of its own: the tests wait side by side. */
function open() {
  const folder = mkdtempSync(join(root, 'sink-'));
  const path = join(folder, 'audit.jsonl');
  const read = () => readFileSync(path, 'utf8');
  return {
    folder,
    path,
    read,
    /** A server that has an event to deliver. */
    async start(): Promise<TestServer> {
      const clock = { now: startOfTime };
      const env = { AUDIT_SINK: `file:${path}`, CLEANUP_INTERVAL: '3600' };
      const server = await testServer({ env, clock });
      servers.push(server);
      await server.admin('POST', 'clients', { client_id: 'app', client_secret: 's'.repeat(32) });
      clock.now += 61_000;
      return server;
    },
    isDelivered: () => statSync(path).isFile() && /"client_id":"app".*\n$/s.test(read()),
  };
}

describe.concurrent('AUDIT_SINK=file:…', () => {
  it.for([
    ['a full disk or a crash cut', '{"id":"0","type":"client_created"}\n{"id":"01k8', 2],
    ['nobody cut', '{"id":"0","type":"client_created"}\n', 1],
  ] as const)(
    'has each event on a line of its own behind one that %s',
    async ([_case, before, lines], { expect }) => {
      const { path, read, start, isDelivered } = open();
      writeFileSync(path, before);
      const { admin } = await start();
      while (!isDelivered()) await sleep(20);
      const after = read().split('\n').slice(lines, -1);
      const trail = (await admin('GET', 'audit-events?limit=200&follow=true')).body.items;
      expect(after.map((line) => JSON.parse(line) as unknown)).toEqual(trail);
      expect(read().startsWith(before)).toBe(true);
    },
  );

  it.for([
    [0o644, 0o640],
    [0o666, 0o660],
    [0o640, 0o640],
  ] as const)(
    'takes the rights of others away from a file of the mode %o',
    async ([before, after], { expect }) => {
      const { path, start, isDelivered } = open();
      writeFileSync(path, '');
      chmodSync(path, before);
      await start();
      while (!isDelivered()) await sleep(20);
      expect(statSync(path).mode & 0o777).toBe(after);
    },
  );

  it('waits for nobody who reads a pipe, and says what it needs', async ({ expect }) => {
    const { path, start } = open();
    const { logs } = await start();
    await promisify(execFile)('mkfifo', [path]);
    const said = () => logs.find(({ msg }) => /not delivered/.test(String(msg)));
    while (said() === undefined) await sleep(20);
    expect(said()).toMatchObject({ err: { message: expect.stringMatching(/a regular file/) } });
  });

  it('stops the start when the folder is not there', async ({ expect }) => {
    const { folder } = open();
    const env = { AUDIT_SINK: `file:${join(folder, 'no', 'audit.jsonl')}` };
    await expect(testServer({ env })).rejects.toThrow(/AUDIT_SINK cannot be written \(ENOENT/);
  });
});
