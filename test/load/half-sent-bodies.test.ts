import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import formbody from '@fastify/formbody';
import Fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundHalfSentBodies } from '../../src/http/load/half-sent-bodies.ts';
import { tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const head = (length: number) =>
  `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${length}\r\n\r\n`;
const status = async (socket: Socket) => (await text(socket)).slice(0, 12);

describe('bodies on their way, of which there may be three and 2,000 bytes', () => {
  let app = Fastify();
  let sockets: Socket[] = [];
  beforeEach(async () => {
    app = Fastify({ forceCloseConnections: true });
    boundHalfSentBodies(app, 3, 2000);
    await app.register(formbody);
    app.post('/', async () => 'answered');
    await app.listen({ host: '127.0.0.1', port: 0 });
    sockets = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await app.close();
  });
  /** Sends the head of a body of 1,000 bytes and so many of them, and waits until they are read. */
  const begin = async (sent: number): Promise<Socket> => {
    const { port } = app.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(head(1000) + 'a'.repeat(sent));
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    return socket;
  };
  const finish = async (socket: Socket, missing: number) => {
    socket.write('a'.repeat(missing));
    return status(socket);
  };

  it('the oldest is refused for a fourth one, and the others are answered', async () => {
    const [oldest, ...others] = [
      await begin(10),
      await begin(10),
      await begin(10),
      await begin(10),
    ];
    expect(await text(oldest)).toMatch(/^HTTP\/1\.1 503 [\s\S]*^retry-after: 1\r$/im);
    for (const socket of others) expect(await finish(socket, 990)).toBe('HTTP/1.1 200');
  });
  it('the oldest is refused for more bytes', async () => {
    const [oldest, other] = [await begin(900), await begin(900)];
    const third = await begin(900);
    expect(await status(oldest)).toBe('HTTP/1.1 503');
    for (const socket of [other, third]) expect(await finish(socket, 100)).toBe('HTTP/1.1 200');
  });
  it('those that are complete, or whose connection broke, count no more', async () => {
    const first = await begin(900);
    for (let times = 0; times < 10; times++) {
      expect(await finish(await begin(900), 100)).toBe('HTTP/1.1 200');
      (await begin(900)).resetAndDestroy();
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    }
    expect(await finish(first, 100)).toBe('HTTP/1.1 200');
  });
});

describe('the token endpoint', { timeout: 60_000 }, () => {
  it('answers while 2,100 bodies are on their way, of which it has refused a hundred', async () => {
    const fixture = await tokenEndpointFixture();
    const { port } = new URL(fixture.server.url);
    const sockets = Array.from({ length: 2100 }, () => connect(Number(port), '127.0.0.1'));
    for (const socket of sockets)
      socket
        .on('error', () => undefined)
        .write(head(60_000).replace('POST /', 'POST /token') + 'a'.repeat(1000));
    const refused = () =>
      fixture.server.logs.filter(({ reason }) => reason === 'body_half_sent').length;
    await expect.poll(refused, { timeout: 20_000 }).toBeGreaterThanOrEqual(100);
    expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    for (const socket of sockets) socket.destroy();
    await fixture.server.stop();
  });
});
