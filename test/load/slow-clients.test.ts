import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminToken } from '../support/server.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

/** As many idle connections as are promised, or as this process may have open. */
const { userLimits } = process.report.getReport() as {
  userLimits: { open_files: { soft: number | 'unlimited' } };
};
const idle = Math.min(
  10_000,
  Number(userLimits.open_files.soft === 'unlimited' ? 10_000 : userLimits.open_files.soft - 1000),
);

/** What each of them has sent when it falls silent. */
const habits: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'half a header': 'POST /token HTTP/1.1\r\nHost: as.example.com\r\nX-Slow: ',
  'half a body':
    'POST /token HTTP/1.1\r\nHost: as.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=',
};

describe('slow clients', { timeout: 60_000 }, () => {
  let fixture: TokenEndpointFixture;
  const open: Socket[] = [];
  beforeAll(async () => {
    fixture = await tokenEndpointFixture();
  });
  afterAll(async () => {
    for (const socket of open) socket.destroy();
    await fixture.server.stop();
  });
  const hang = async (url: string, count: number, sent: string) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1');
        open.push(socket);
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        if (sent !== '') socket.write(sent);
        return socket;
      }),
    );
  const closed = async (socket: Socket) => {
    socket.resume();
    if (!socket.destroyed) await once(socket, 'close');
  };

  it.concurrent.for(Object.entries(habits))(
    '500 that send %s do not stop the service, on either listener, and are cut off',
    async ([_habit, sent], { expect }) => {
      const sockets = (
        await Promise.all([
          hang(fixture.server.url, 500, sent),
          hang(fixture.server.adminUrl, 50, sent),
        ])
      ).flat();
      // One that drips a byte now and then is no better off.
      const drip = setInterval(() => {
        for (const socket of sockets.slice(0, 100))
          if (sent !== '' && socket.writable) socket.write('a');
      }, 500);
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
      expect((await fixture.server.admin('GET', 'clients')).status).toBe(200);
      await Promise.all(sockets.map(closed));
      clearInterval(drip);
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    },
  );

  it('one that asks for 50,000 answers at once and reads none gets only as many as fit on the way', async () => {
    const [socket] = await hang(fixture.server.url, 1, '');
    socket?.pause();
    socket?.write(
      'GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: as.example.com\r\n\r\n'.repeat(
        50_000,
      ),
    );
    const answered = () =>
      fixture.server.logs.filter(({ route }) => route === '/.well-known/oauth-authorization-server')
        .length;
    let before = 0;
    // Until the server has stopped of itself.
    while (answered() === 0 || answered() !== before) {
      before = answered();
      await sleep(500);
    }
    expect(before).toBeLessThan(50_000);
    expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    socket?.destroy();
  });

  it(`${idle} connections that idle after a request do not stop the service${idle < 10_000 ? ' (10,000 need a higher ulimit -n)' : ''}`, async () => {
    const holder = fork(new URL('../support/idle-connections.ts', import.meta.url), [
      new URL(fixture.server.url).port,
      String(idle),
    ]);
    try {
      const [{ answered }] = (await once(holder, 'message')) as [{ answered: number }];
      expect(answered).toBe(idle);
      await hang(
        fixture.server.adminUrl,
        100,
        'GET /health/live HTTP/1.1\r\nHost: as.example.com\r\n\r\n',
      );
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
      expect(
        (
          await fixture.server.admin('GET', 'clients', undefined, {
            authorization: `Bearer ${adminToken}`,
          })
        ).status,
      ).toBe(200);
    } finally {
      holder.kill();
    }
  });
});
