import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { freeAddress, startProcess } from '../support/process.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-drain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const form = 'grant_type=client_credentials&client_id=stranger&client_secret=guessed';
const message = [
  'POST /token HTTP/1.1',
  'Host: as.example.com',
  'DPoP: unread',
  'Content-Type: application/x-www-form-urlencoded',
  `Content-Length: ${form.length}`,
  '',
  form,
].join('\r\n');

/** What comes back on a connection until its end: the first line of the answer, or the fault. */
const outcome = async (socket: Socket): Promise<string> => {
  try {
    return (await text(socket)).split('\r\n')[0] ?? '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

describe('SIGTERM', { timeout: 90_000 }, () => {
  it.each([
    ['that has no delay', '0'],
    ['with a delay', '300'],
  ])(
    'under load, of a server %s: every request on its way is answered, none reset',
    async (_, delay) => {
      const server = await startProcess(
        { DATABASE_URL: `file:${join(folder, `load-${delay}.db`)}`, SHUTDOWN_DELAY_MS: delay },
        await freeAddress(),
      );
      const port = Number(new URL(server.url).port);
      // Used once, so that they idle.
      const idle = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const socket = connect(port, '127.0.0.1');
          socket.write(message);
          await once(socket, 'data');
          return socket;
        }),
      );
      const opened = Array.from({ length: 150 }, () => connect(port, '127.0.0.1'));
      await Promise.all(opened.map(async (socket) => once(socket, 'connect')));
      const outcomes = [...idle, ...opened].map(outcome);
      for (const socket of [...idle, ...opened]) socket.write(message);
      expect(await server.end('SIGTERM')).toBe(0);
      expect(Map.groupBy(await Promise.all(outcomes), (line) => line).size).toBe(1);
      expect(await outcomes[0]).toBe('HTTP/1.1 401 Unauthorized');
    },
  );

  it('during the delay requests on open connections and new ones are answered with Connection: close', async () => {
    const server = await startProcess(
      { DATABASE_URL: `file:${join(folder, 'delay.db')}`, SHUTDOWN_DELAY_MS: '1500' },
      await freeAddress(),
    );
    const port = Number(new URL(server.url).port);
    const open = connect(port, '127.0.0.1');
    open.write(message);
    const [first] = (await once(open, 'data')) as [Buffer];
    expect(String(first)).toMatch(/^connection: keep-alive\r$/im);
    const ended = server.end('SIGTERM');
    await server.said(/"stopping"/);
    const get = 'GET /jwks HTTP/1.1\r\nHost: as.example.com\r\n\r\n';
    const answers = [message, get].map(async (asked) => {
      const socket = asked === message ? open : connect(port, '127.0.0.1');
      socket.write(asked);
      return text(socket);
    });
    for (const answer of await Promise.all(answers))
      expect(answer).toMatch(/^HTTP\/1\.1 (200|401) [\s\S]*^connection: close\r$/im);
    expect(await ended).toBe(0);
  });
});

describe('a connection that the client has closed in one direction', () => {
  it('gets its answers, for one request and for several, and is closed then', async () => {
    const fixture: TokenEndpointFixture = await tokenEndpointFixture();
    const { port } = new URL(fixture.server.url);
    for (const requests of [1, 1, 1, 1, 5]) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.end(message.repeat(requests));
      expect((await text(socket)).match(/HTTP\/1\.1 401 /g)).toHaveLength(requests);
    }
    const silent = connect(Number(port), '127.0.0.1').end();
    expect(await text(silent)).toBe('');
    const half = connect(Number(port), '127.0.0.1').end(message.slice(0, -5));
    expect(await text(half)).toMatch(/^HTTP\/1\.1 400 /);
    await fixture.server.stop();
  });
});
