import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { testServer } from '../support/server.ts';
import { onSqlite } from '../support/stores.ts';

const redis = process.env['TEST_REDIS_URL'];

describe.runIf(redis !== undefined)('a Redis that is slow while a connection comes up', () => {
  it('is asked again, and the server becomes ready by itself', async () => {
    const store = await onSqlite.make();
    let swallowed = 0;
    const sockets = new Set<Socket>();
    // From the server's own first question on, after the client library has called the connection
    // ready, the first connection is silent.
    const line = createServer((from) => {
      const to = connect(Number(new URL(redis ?? '').port || 6379), '127.0.0.1');
      for (const socket of [from, to]) sockets.add(socket.on('error', () => socket.destroy()));
      to.pipe(from);
      let silent = false;
      from.on('data', (chunk) => {
        if (swallowed === 0 && chunk.includes('memory')) {
          swallowed++;
          silent = true;
        }
        if (!silent) to.write(chunk);
      });
      from.on('close', () => to.destroy());
    });
    await once(line.listen(0, '127.0.0.1'), 'listening');
    const server = await testServer({
      store: {
        ...store,
        env: {
          ...store.env,
          REDIS_URL: `redis://127.0.0.1:${(line.address() as AddressInfo).port}`,
        },
      },
    });
    const ready = async () => (await server.get('/health/ready')).status === 200;
    for (let tries = 0; tries < 200 && !(await ready()); tries++) await sleep(50);
    expect([swallowed, await ready()]).toEqual([1, true]);
    await server.stop();
    for (const socket of sockets) socket.destroy();
    line.close();
    await store.remove();
  });
});
