import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import Fastify from 'fastify';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { eventLoopYield } from '../../src/http/load/event-loop-yield.ts';
import { shedLoad } from '../../src/http/load/load-shedding.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

function opened(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  cleanUp.push(() => socket.destroy());
  return socket;
}

describe('many requests at once', () => {
  it('do not all begin in one turn of the event loop', async () => {
    const app = Fastify();
    cleanUp.push(() => app.close());
    shedLoad(app, 100, 60_000, pino({ level: 'silent' }));
    const [turns, all]: [number[], PromiseWithResolvers<void>] = [
      [],
      Promise.withResolvers<void>(),
    ];
    let turn = 0;
    // Each is under way until all have begun.
    app.post('/', async () => {
      if (turns.push(turn) === 100) all.resolve();
      setImmediate(() => turn++);
      await all.promise;
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const sockets = Array.from({ length: 100 }, () => opened(port));
    await Promise.all(
      sockets.map(async (socket) => {
        // The server has taken it, once it has answered on it.
        socket.write('GET / HTTP/1.1\r\nHost: as.example.com\r\n\r\n');
        await once(socket, 'data');
      }),
    );
    for (const socket of sockets)
      socket.write('POST / HTTP/1.1\r\nHost: as.example.com\r\nContent-Length: 0\r\n\r\n');
    await all.promise;
    const most = Math.max(
      ...Map.groupBy(turns, (one) => one)
        .values()
        .map((ones) => ones.length),
    );
    expect(most).toBeLessThanOrEqual(58);
  });
});

describe('turns of the event loop', () => {
  /** How many of 100 pieces of work that come at once begin in each turn, and in which order. */
  const begun = async (crowded: boolean) => {
    const inTurn = eventLoopYield(() => crowded);
    const [order, turns]: [number[], number[]] = [[], []];
    for (let piece = 0; piece < 100; piece++) inTurn(() => void order.push(piece));
    for (let before = 0; order.length > before; await new Promise(setImmediate)) {
      turns.push(order.length - before);
      before = order.length;
    }
    return { order, turns };
  };

  it('begin work in its order, little of it while it crowds, all of it otherwise', async () => {
    const [many, some] = [await begun(true), await begun(false)];
    for (const { order } of [many, some])
      expect(order).toEqual(Array.from({ length: 100 }, (_, piece) => piece));
    expect(many.turns).toEqual([...Array.from({ length: 12 }, () => 8), 4]);
    expect(some.turns).toEqual([100]);
  });
});
