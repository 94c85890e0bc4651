import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../support/api.ts';
import { bridgeProfile, type RunningBridge, startBridge } from '../support/bridge.ts';
import { freeAddress, type ServerProcess, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken } from '../support/server.ts';

/** The whole GiB takes more than a newcomer should wait for: `.ci/run` asks for it. */
const size = (process.env['TEST_GIB'] === '1' ? 1024 : 256) * 1024 * 1024;
const mebibyte = 1024 * 1024;
const folder = scratchFolder();
const piece = Buffer.alloc(64 * 1024, 'x');
let address: { readonly port: number; readonly adminPort: number };
let server: ServerProcess;
let api: Api;
let bridge: RunningBridge;
let answering: ServerResponse | undefined;
let writtenBefore = 0;

const startServer = async () =>
  startProcess({ DATABASE_URL: `file:${join(folder, 'holdfast.db')}` }, address);
const admin = async (method: string, path: string, body: object) => {
  const answer = await fetch(`${server.adminUrl}/${path}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
};

beforeAll(async () => {
  address = await freeAddress();
  server = await startServer();
  api = await openApi(server.url, { open: stream });
  await bridgeProfile(folder, { issuer: server.url, admin } as never, api.origin);
  const listen = ['--listen', '127.0.0.1:0', '--any-local-user'];
  bridge = await startBridge(folder, ['--to', api.origin, ...listen]);
});
afterAll(async () => {
  await bridge.stop();
  await Promise.all([api.close(), server.end('SIGTERM')]);
  rmSync(folder, { recursive: true, force: true });
});

/** Answers with what it gets, with bytes as long as they are taken, or reads nothing at all. */
function stream(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.headers.authorization?.startsWith('DPoP ') !== true) return false;
  if (request.url === '/echo') pipeline(request, response).catch(() => undefined);
  else if (request.url === '/endless') {
    answering = response;
    writtenBefore = response.socket?.bytesWritten ?? 0;
    pipeline(pieces(Number.POSITIVE_INFINITY), response).catch(() => undefined);
  } else if (request.url !== '/deaf') return false;
  return true;
}

async function* pieces(bytes: number) {
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

/** Bytes of memory that the bridge had at most so far. */
function peak(): number {
  const status = readFileSync(`/proc/${bridge.child.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

async function echoed(bytes: number): Promise<number> {
  const outgoing = httpRequest(`${bridge.address}/echo`, { method: 'POST', agent: false });
  const sending = pipeline(pieces(bytes), outgoing);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  let received = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) received += chunk.length;
  await sending;
  return received;
}

/** The number when it no longer changes. */
async function settled(read: () => number): Promise<number> {
  let [before, same] = [-1, 0];
  while (same < 10) {
    same = read() === before ? same + 1 : 0;
    before = read();
    await sleep(50);
  }
  return before;
}

describe('streams through the bridge', () => {
  it.skipIf(process.platform !== 'linux')(
    'go both ways at once without memory growing',
    async () => {
      expect(await echoed(16 * mebibyte)).toBe(16 * mebibyte);
      const before = peak();
      expect(await echoed(size)).toBe(size);
      expect((peak() - before) / mebibyte).toBeLessThan(100);
    },
  );

  it('wait for a client that does not read', async () => {
    const outgoing = httpRequest(`${bridge.address}/endless`, { agent: false }).end();
    outgoing.on('error', () => undefined);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    answer.pause();
    const sent = await settled(() => answering?.socket?.bytesWritten ?? 0);
    expect((sent - writtenBefore) / mebibyte).toBeLessThan(32);
    const closed = once(answering as ServerResponse, 'close');
    outgoing.destroy();
    await closed;
  });

  it('wait for an API that does not read', async () => {
    const outgoing = httpRequest(`${bridge.address}/deaf`, { method: 'PUT', agent: false });
    outgoing.on('error', () => undefined);
    const sending = pipeline(pieces(size), outgoing).catch(() => undefined);
    const sent = await settled(() => outgoing.socket?.bytesWritten ?? 0);
    expect(sent / mebibyte).toBeLessThan(32);
    outgoing.destroy();
    await sending;
  });

  it('events arrive one by one', async () => {
    const outgoing = httpRequest(`${bridge.address}/echo`, { method: 'POST', agent: false });
    outgoing.write('first');
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(String((await once(answer, 'data'))[0])).toBe('first');
    outgoing.write('second');
    expect(String((await once(answer, 'data'))[0])).toBe('second');
    outgoing.end();
    await once(answer, 'end');
  });
});

describe('the bridge survives a restart of the authorization server', () => {
  it('uses its token meanwhile, and obtains the next one afterwards', async () => {
    expect((await fetch(bridge.address)).status).toBe(200);
    await server.end('SIGKILL');
    expect((await fetch(bridge.address)).status).toBe(200);
    const token = String(api.seen.at(-1)?.headers.authorization).slice(5);
    api.withdrawn.add(token);
    const refused = await fetch(bridge.address);
    expect(refused.status).toBe(502);
    expect(await refused.text()).toContain('no answer of the authorization server');
    server = await startServer();
    expect((await fetch(bridge.address)).status).toBe(200);
    expect(bridge.talk()).not.toMatch(/eyJ/);
  });
});
