import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import { freeAddress, type ServerProcess, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';

const secret = 's'.repeat(32);

interface Asked {
  readonly dpop: string;
  readonly clientId?: string;
  readonly to?: ServerProcess;
}

describe.each(storeKinds)('WORKERS=3 on $name', { timeout: 60_000 }, (kind) => {
  let store: TestStore;
  let server: ServerProcess;
  let key: TestKey;
  beforeAll(async () => {
    store = await kind.make();
    server = await startProcess(
      { ...store.env, WORKERS: '3', ADMIN_TOKEN: '', SHUTDOWN_DELAY_MS: '1500' },
      await freeAddress(),
    );
    await server.said(/admin token/);
    key = await testKey();
    await admin('POST', 'resource-servers', { audience: 'https://rs.example.com' });
    await admin('POST', 'clients', { client_id: 'app', client_secret: secret });
  }, 60_000);
  afterAll(async () => {
    await server.end('SIGKILL');
    await store.remove();
  });

  const admin = async (method: string, path: string, body?: object): Promise<number> => {
    const [, file = ''] = /admin token {2}in (\S+)/.exec(server.output()) ?? [];
    const token = readFileSync(file, 'utf8').trim();
    const response = await fetch(`${server.adminUrl}/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        connection: 'close',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    await response.text();
    return response.status;
  };
  const proof = async () =>
    key.proof({ iat: Math.floor(Date.now() / 1000), htu: `${server.url}/token` });
  /** One connection a request, so that every worker gets its share. */
  const ask = async ({ dpop, clientId = 'app' }: Asked): Promise<number> => {
    const response = await fetch(`${server.url}/token`, {
      method: 'POST',
      headers: {
        authorization: basic(clientId, secret),
        dpop,
        'content-type': 'application/x-www-form-urlencoded',
        connection: 'close',
      },
      body: formBody({ grant_type: 'client_credentials' }),
    });
    await response.text();
    return response.status;
  };
  const workers = () =>
    [...new Set(server.output().match(/(?<="worker":)\d+(?=,"pid":\d+,"msg":"serving")/g))].sort();
  const pids = () =>
    [...server.output().matchAll(/"pid":(\d+),"msg":"serving"/g)].map(([, pid]) => Number(pid));

  it('the first start makes everything once, and prints it once', () => {
    expect(workers()).toEqual(['1', '2', '3']);
    expect(server.output().match(/admin token {2}in \S+/g)?.length).toBe(1);
    expect(server.output()).not.toMatch(/hfadm_/);
  });

  it('RFC 9449 §11.1: 50 parallel uses of one proof give one token', async () => {
    const dpop = await proof();
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => ask({ dpop })));
    expect(statuses.filter((status) => status === 200).length).toBe(1);
    expect(statuses.filter((status) => status === 400).length).toBe(49);
  });

  it('a change is seen by every worker as soon as it is answered', async () => {
    for (const round of [1, 2, 3, 4, 5]) {
      // Every worker has a copy of the client before it is disabled.
      await Promise.all(Array.from({ length: 9 }, async () => ask({ dpop: await proof() })));
      const proofs = await Promise.all(Array.from({ length: 9 }, proof));
      expect(await admin('PATCH', 'clients/app', { disabled: true })).toBe(200);
      const after = await Promise.all(proofs.map(async (dpop) => ask({ dpop })));
      expect(await admin('PATCH', 'clients/app', { disabled: false })).toBe(200);
      expect(`round ${round}: ${[...new Set(after)].join()}`).toBe(`round ${round}: 401`);
      expect(new Set(await Promise.all(proofs.map(async (dpop) => ask({ dpop }))))).toEqual(
        new Set([200]),
      );
    }
  });

  it('a worker killed under load is replaced, the service goes on, and no proof counts twice', async () => {
    const before = pids();
    const used: string[] = [];
    let broken = 0;
    let stop = false;
    const load = Array.from({ length: 6 }, async () => {
      while (!stop) {
        const dpop = await proof();
        const status = await ask({ dpop }).catch(() => undefined);
        if (status === 200) used.push(dpop);
        // A 503 while several processes wait for one file is an answer; a broken connection is none.
        else if (status === undefined) broken++;
      }
    });
    while (used.length < 30) await sleep(5);
    for (const pid of before.slice(0, 2)) process.kill(pid, 'SIGKILL');
    while (pids().length < before.length + 2) await sleep(20);
    const soFar = used.length;
    while (used.length < soFar + 30) await sleep(5);
    stop = true;
    await Promise.all(load);
    const replayed = await Promise.all(used.map(async (dpop) => ask({ dpop })));
    expect(replayed).not.toContain(200);
    expect(replayed).toContain(400);
    // Only what the killed ones had in their hands.
    expect(broken).toBeLessThanOrEqual(12);
    expect(server.output()).toMatch(/"msg":"a worker died; it is replaced"/);
  });

  it('SIGTERM: readiness fails first, what is under way is answered, exit code 0', async () => {
    const proofs = await Promise.all(Array.from({ length: 9 }, proof));
    const ended = server.end('SIGTERM');
    await server.said(/"signal":"SIGTERM","msg":"stopping"/);
    const ready = async () => {
      const response = await fetch(`${server.url}/health/ready`, {
        headers: { connection: 'close' },
      });
      return `${response.status} ${((await response.json()) as { status: string }).status}`;
    };
    while ((await ready()) === '200 ready') await sleep(5);
    expect(new Set(await Promise.all(proofs.map(async (dpop) => ask({ dpop }))))).toEqual(
      new Set([200]),
    );
    expect(await ended).toBe(0);
    const left = pids().filter((pid) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });
});

describe('WORKERS', { timeout: 60_000 }, () => {
  it('of which one cannot start stop the start by the sentence, printed once', async () => {
    const store = await onSqlite.make();
    const first = await startProcess({ ...store.env, WORKERS: '2' }, await freeAddress());
    await first.said(/Holdfast is running/);
    expect(await first.end('SIGTERM')).toBe(0);
    const wrong = startProcess(
      { ...store.env, WORKERS: '2', KEY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64url') },
      await freeAddress(),
    );
    const words = await wrong.then(
      () => 'it started',
      (error: Error) => error.message,
    );
    await store.remove();
    expect(
      words.match(
        /Holdfast did not start\.\nA key in the database was not sealed by this key-encryption key/g,
      )?.length,
    ).toBe(1);
    expect(words).toMatch(/^the process ended with 1/);
  });

  it('a process that supervises and is killed takes its workers along, and the next start finds the ports free', async () => {
    const store = await onSqlite.make();
    const address = await freeAddress();
    const first = await startProcess({ ...store.env, WORKERS: '2' }, address);
    await first.said(/Holdfast is running/);
    await first.end('SIGKILL');
    const second = await startProcess(
      { ...store.env, WORKERS: '2', ADMIN_TOKEN: adminToken },
      address,
    );
    expect(await second.end('SIGTERM')).toBe(0);
    await store.remove();
  });
});
