import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEventCatalogue } from '../../scripts/write-audit-event-catalogue.ts';
import { readConfig } from '../../src/config/config.ts';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const secret = 'w'.repeat(32);
const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly id: string;
  readonly type: string;
  readonly client_id?: string;
}
const linesOf = (written: string): readonly Line[] =>
  written
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

/** Registers so many clients, and lets the minute pass after which events are sent. */
async function happened(server: TestServer, names: readonly string[]): Promise<void> {
  for (const name of names)
    await server.admin('POST', 'clients', { client_id: name, client_secret: 's'.repeat(32) });
  server.clock.now += 61_000;
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}
const trail = async (server: TestServer): Promise<readonly string[]> =>
  (await server.admin('GET', 'audit-events?limit=200&follow=true')).body.items.map(
    ({ id }: Line) => id,
  );

describe.concurrent.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'AUDIT_SINK=file:… on $name',
  (kind) => {
    let store: TestStore;
    const file = join(folder, `${kind.name}.jsonl`);
    const env = { AUDIT_SINK: `file:${file}`, CLEANUP_INTERVAL: '3600' };
    const written = () => (existsSync(file) ? linesOf(readFileSync(file, 'utf8')) : []);
    beforeAll(async () => {
      store = await kind.make();
    });
    afterAll(async () => store.remove());

    it.sequential('has every event once and in order, of one process after another', async () => {
      const clock = { now: startOfTime };
      const first = await testServer({ store, env, clock });
      const second = await testServer({ store, env, clock });
      await happened(first, ['a', 'b', 'c']);
      const all = await trail(first);
      await until(() => written().length >= all.length);
      // Two processes look every second, and one of them sends.
      await sleep(1500);
      expect(written().map(({ id }) => id)).toEqual(all);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      await first.stop();
      await happened(second, ['d']);
      const more = await trail(second);
      await until(() => written().length >= more.length);
      expect(written().map(({ id }) => id)).toEqual(more);
      // Whoever rotates the file moves it away.
      renameSync(file, `${file}.1`);
      await happened(second, ['e']);
      await until(() => written().length > 0);
      expect(written().map(({ client_id }) => client_id)).toEqual(['e']);
      await second.stop();
    });

    it.sequential('a damaged event keeps nobody from the others', async () => {
      const server = await testServer({ store, env, clock: { now: startOfTime + 3_600_000 } });
      await happened(server, ['f']);
      await execute(store, "update audit_event set detail = '{' where client_id = 'f'");
      await happened(server, ['g']);
      await until(() => written().some(({ client_id }) => client_id === 'g'));
      expect(written().filter(({ client_id }) => client_id === 'f')).toHaveLength(1);
      await server.stop();
    });
  },
);

describe.concurrent('AUDIT_SINK=https://…', () => {
  let issued: TestCertificate;
  const receivers: Server[] = [];
  beforeAll(async () => {
    issued = await certificate({
      subject: 'CN=127.0.0.1, O=audit',
      names: [{ type: 'ip', value: '127.0.0.1' }],
    });
    setDefaultCACertificates([...getCACertificates(), issued.pem]);
  });
  afterAll(() => {
    for (const receiver of receivers) {
      receiver.closeAllConnections();
      receiver.close();
    }
  });
  /** A webhook that answers with its `status`, and what it got. */
  const openHook = async (more: Readonly<Record<string, string>> = {}) => {
    const posted: { body: string; signature: string; path: string; answered: number }[] = [];
    const { keyPem: key, pem: cert } = issued;
    const receiver = createServer({ key, cert }, (request, response) => {
      void text(request).then((body) => {
        const signature = String(request.headers['holdfast-signature']);
        posted.push({ body, signature, path: request.url ?? '', answered: hook.status });
        // A redirect leads nowhere.
        response.writeHead(hook.status, { location: '/elsewhere' }).end();
      });
    });
    receivers.push(receiver);
    await once(receiver.listen(0, '127.0.0.1'), 'listening');
    const { port } = receiver.address() as AddressInfo;
    const env = {
      AUDIT_SINK: `https://127.0.0.1:${port}/hook?key=of-the-receiver`,
      AUDIT_WEBHOOK_SECRET: secret,
      AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES: 'true',
      CLEANUP_INTERVAL: '3600',
      ...more,
    };
    const hook = { status: 200, posted, env };
    return hook;
  };

  it('is signed over time and body, retried until a 2xx, and goes on after the last that was taken', async ({
    expect,
  }) => {
    const goesOnAfter = async (refusal: number) => {
      const store = await onSqlite.make();
      const hook = await openHook();
      const { posted, env } = hook;
      hook.status = refusal;
      const server = await testServer({ store, env });
      await happened(server, [`s${refusal}`]);
      await until(() => posted.length >= 1);
      await happened(server, ['meanwhile']);
      const before = posted.length;
      await until(() => posted.length > before);
      hook.status = 200;
      await until(() => posted.at(-1)?.answered === 200);
      expect(new Set(posted.map(({ path }) => path))).toEqual(
        new Set(['/hook?key=of-the-receiver']),
      );
      const all = await trail(server);
      const [refused, taken] = [posted[0]?.body ?? '', posted.at(-1)?.body ?? ''];
      expect(linesOf(taken).map(({ id }) => id)).toEqual(all);
      expect(taken.startsWith(refused.split('\n')[0] ?? 'none')).toBe(true);
      for (const { body, signature } of posted) {
        const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
        expect(mac).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'));
        expect(Number(time)).toBeGreaterThanOrEqual(startOfTime / 1000);
      }
      await server.stop();
      posted.length = 0;
      const again = await testServer({ store, env, clock: server.clock });
      await happened(again, ['later']);
      await until(() => posted.length > 0);
      expect(linesOf(posted[0]?.body ?? '').map(({ client_id }) => client_id)).toEqual(['later']);
      expect(JSON.stringify([server.logs, again.logs])).not.toMatch(/of-the-receiver|wwww/);
      await again.stop();
      await store.remove();
    };
    await Promise.all([500, 302].map(goesOnAfter));
  });

  it('asks no private address unless it may', async ({ expect }) => {
    const { posted, env } = await openHook({ AUDIT_SINK_ALLOW_PRIVATE_ADDRESSES: 'false' });
    const server = await testServer({ env });
    await happened(server, ['x']);
    const failed = () =>
      server.logs.find(({ msg }) => /audit events are not delivered/.test(String(msg)));
    await until(() => failed() !== undefined);
    expect(failed()).toMatchObject({
      err: { message: 'AUDIT_SINK could not be reached', reason: 'address_not_allowed' },
    });
    expect(posted).toEqual([]);
    await server.stop();
  });

  it('tells in the metrics how old the oldest event is that was not taken', async ({ expect }) => {
    const hook = await openHook();
    hook.status = 503;
    const server = await testServer({ env: hook.env });
    await happened(server, ['x']);
    server.clock.now += 600_000;
    const scrape = async () => {
      const headers = { authorization: `Bearer ${adminToken}` };
      const found = await (await fetch(`${server.adminUrl}/metrics`, { headers })).text();
      return Number(/^holdfast_audit_sink_lag_seconds (\S+)$/m.exec(found)?.[1]);
    };
    expect(await scrape()).toBeGreaterThan(600);
    await server.stop();
  });
});

describe.concurrent('AUDIT_SINK=stdout', () => {
  it('writes events between the lines of the log, each in one piece', async ({ expect }) => {
    const store = await onSqlite.make();
    const old = await testServer({ store, clock: { now: Date.now() - 3_600_000 } });
    await happened(old, ['a', 'b']);
    await old.stop();
    const server = await startProcess(
      { ...store.env, AUDIT_SINK: 'stdout', WORKERS: '2' },
      await freeAddress(),
    );
    await server.said(
      /"type":"client_created".*"client_id":"b"|"client_id":"b".*"type":"client_created"/,
    );
    await server.end('SIGTERM');
    const created = server.output().match(/^\{.*"type":"client_created".*\}$/gm) ?? [];
    const clients = created.map((line) => (JSON.parse(line) as Line).client_id ?? '');
    // Both happened in one millisecond, so either may come first.
    expect(clients).toHaveLength(2);
    expect(clients).toEqual(expect.arrayContaining(['a', 'b']));
    await store.remove();
  });
});

describe('configuration and catalogue', () => {
  it.each([
    ['http://siem.example.com/', /AUDIT_SINK must be stdout, file:PATH or https/],
    ['https://user:word@siem.example.com/', /AUDIT_SINK must be stdout, file:PATH or https/],
    ['https://siem.example.com/#x', /AUDIT_SINK must be stdout.* without user and fragment/],
    ['https://siem.example.com/', /needs AUDIT_WEBHOOK_SECRET/],
    ['file:/var/log/', /AUDIT_SINK has no path of a file/],
    ['syslog', /AUDIT_SINK must be stdout/],
  ])('%s stops the start', (value, fault) => {
    expect(() => readConfig({ AUDIT_SINK: value })).toThrow(fault);
  });
  it('docs/reference/audit-events.md is what `npm run audit-events` writes', () => {
    const page = new URL('../../docs/reference/audit-events.md', import.meta.url);
    expect(readFileSync(page, 'utf8')).toBe(auditEventCatalogue());
  });
});
