import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { moreSockets, portsCanBeShared, refuseTakenPort } from '../../src/http/more-sockets.ts';
import { boundConnections } from '../../src/http/server-limits.ts';
import { shortTurns } from '../../src/http/short-turns.ts';
import { testServer } from '../support/server.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

function opened(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  cleanUp.push(() => socket.destroy());
  return socket;
}

/** A port with the sockets that the public listener has; the server beside it answers 200. */
async function severalSockets(most?: number): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((_request, response) => void response.end());
  boundConnections(server, undefined, most);
  await once(server.listen({ host: '127.0.0.1', port: 0, reusePort: true }), 'listening');
  const more = await moreSockets(server);
  cleanUp.push(async () => {
    server.closeAllConnections();
    server.close();
    await more.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

describe('many requests at once', () => {
  it('a connection opened after a burst was sent is answered before the burst is', async () => {
    const server = await testServer();
    cleanUp.push(() => server.stop());
    const port = Number(new URL(server.url).port);
    const answered: string[] = [];
    const all: Promise<unknown>[] = [];
    const note = (socket: Socket, name: string) => void all.push(once(socket, 'data').then(() => answered.push(name)));
    const burst = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const socket = opened(port);
        await once(socket, 'connect');
        // The server has taken it, once it has answered on it.
        socket.write('GET /health/live HTTP/1.1\r\nHost: as.example.com\r\n\r\n');
        await once(socket, 'data');
        return socket;
      }),
    );
    // Refused without a look into any store: what is measured is the order of work.
    for (const socket of burst) {
      note(socket, 'burst');
      socket.write('POST /token HTTP/1.1\r\nHost: as.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b');
    }
    const late = opened(port);
    note(late, 'late');
    late.write('GET /health/live HTTP/1.1\r\nHost: as.example.com\r\n\r\n');
    await Promise.all(all);
    expect(answered.indexOf('late')).toBeLessThan(answered.lastIndexOf('burst'));
  });
});

describe('turns of the event loop', () => {
  /** How many of 100 pieces of work that come at once begin in each turn, and in which order. `step`: milliseconds between two looks at the clock. */
  const begun = async (step: number) => {
    let clock = 0;
    const inTurn = shortTurns(() => (clock += step));
    const [order, turns]: [number[], number[]] = [[], []];
    for (let piece = 0; piece < 100; piece++) inTurn(() => void order.push(piece));
    for (let before = 0; order.length > before; await new Promise(setImmediate)) {
      turns.push(order.length - before);
      before = order.length;
    }
    return { order, turns };
  };

  it('begin work in its order, few pieces when they take long, more when they are short', async () => {
    const [long, short] = [await begun(5), await begun(1)];
    for (const { order } of [long, short]) expect(order).toEqual(Array.from({ length: 100 }, (_, piece) => piece));
    expect(new Set(long.turns.slice(0, -1))).toEqual(new Set([8]));
    expect(short.turns.slice(0, 3)).toEqual([8, 9, 10]);
  });
});

describe.runIf(portsCanBeShared)('several sockets on one port', () => {
  it('take several connections in one turn of the event loop', async () => {
    const { server, port } = await severalSockets();
    const [taken, finished] = [[0], Promise.withResolvers<void>()];
    const turn = () => void taken.push(0);
    server.on('connection', () => {
      taken[taken.length - 1] = (taken.at(-1) ?? 0) + 1;
      setImmediate(turn);
      if (taken.reduce((sum, one) => sum + one) === 64) finished.resolve();
    });
    for (let count = 0; count < 64; count++) opened(port);
    await finished.promise;
    expect(Math.max(...taken)).toBeGreaterThan(1);
  });

  it('hold no more connections together than one may', async () => {
    const { port } = await severalSockets(4);
    const outcomes = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = opened(port);
        socket.write('GET / HTTP/1.1\r\nHost: as.example.com\r\n\r\n');
        return new Promise((resolve) => socket.once('data', () => resolve('answered')).once('close', () => resolve('closed')));
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(4);
  });

  it('are refused where another program listens, though that one shares its port', async () => {
    const { port } = await severalSockets();
    await expect(refuseTakenPort('127.0.0.1', port)).rejects.toThrow(/EADDRINUSE/);
  });
});
