import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serverLimits } from '../../src/http/listener/server-limits.ts';
import { boundHalfSentHeaders } from '../../src/http/load/half-sent-headers.ts';
import { tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const halfHeader = (bytes: number) => `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(bytes)}`;
const whole = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const post = (body: string) =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('headers on their way, of which 64 KiB may be there', () => {
  let server: Server;
  let sockets: Socket[] = [];
  beforeEach(async () => {
    server = createServer(serverLimits, (request, response) =>
      request.resume().on('end', () => response.end('answered')),
    );
    boundHalfSentHeaders(server, 'connection', pino({ enabled: false }), 65_536);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    sockets = [];
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const open = async (sent: string): Promise<Socket> => {
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(sent);
    return socket;
  };
  const openMany = async (count: number, sent: string) =>
    Promise.all(Array.from({ length: count }, async () => open(sent)));
  const closed = () => sockets.filter(({ closed: isClosed }) => isClosed).length;

  it.each([
    ['at once', halfHeader(20_000)],
    ['behind a whole request in the same packet', whole + halfHeader(20_000)],
    ['behind a request with a body', post('b'.repeat(2000)) + halfHeader(20_000)],
    ['behind a request with a large body', post('b'.repeat(20_000)) + halfHeader(20_000)],
  ])('those sent %s are refused beyond the bound', async (_how, sent) => {
    for (const socket of await openMany(8, sent)) socket.resume();
    await expect.poll(closed, { timeout: 3000 }).toBe(5);
  });

  it('the longest is refused with 503, and a short one is answered', async () => {
    const [short, ...long] = [
      await open(halfHeader(100)),
      ...(await openMany(3, halfHeader(23_000))),
    ];
    const refused = await Promise.race(long.map(async (socket) => text(socket)));
    expect(refused).toMatch(/^HTTP\/1\.1 503 [\s\S]*^Retry-After: 1\r$/m);
    short?.write('\r\nConnection: close\r\n\r\n');
    expect(await text(short as Socket)).toContain('answered');
  });

  it('a chunked body on its way is not a half-sent header: its connection stays', async () => {
    const [honest] = await openMany(1, `${chunked}5dc0\r\n${'b'.repeat(24_000)}\r\n`);
    for (const socket of await openMany(5, halfHeader(15_000))) socket.resume();
    await expect.poll(closed, { timeout: 3000 }).toBe(1);
    honest?.write('0\r\n\r\n');
    const [received] = (await once(honest as Socket, 'data')) as [Buffer];
    expect(received.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('among many, a request with a chunked body is answered, and the last of its connection', async () => {
    await openMany(5, '');
    const socket = await open(`${chunked}3\r\nabc\r\n0\r\n\r\n`);
    expect(await text(socket)).toMatch(
      /^HTTP\/1\.1 200 [\s\S]*^Connection: close\r[\s\S]*answered$/m,
    );
  });

  it.each([
    ['small bodies', post('b'.repeat(500))],
    ['large bodies', post('b'.repeat(60_000))],
    ['padded fields', 'GET / HTTP/1.1\r\nHost:          x   \r\n\r\n'],
  ])('connections with many requests and %s are never refused', async (_what, request) => {
    await openMany(6, '');
    for (const socket of sockets) socket.resume();
    for (let times = 0; times < 60; times++) {
      for (const socket of sockets) socket.write(request);
      await sleep(10);
    }
    expect(closed()).toBe(0);
  });
});

describe('the token endpoint', { timeout: 60_000 }, () => {
  it('answers while 1,800 long headers are on their way, of which it refuses many', async () => {
    const fixture = await tokenEndpointFixture();
    const { port } = new URL(fixture.server.url);
    const sockets = Array.from({ length: 1800 }, () => connect(Number(port), '127.0.0.1'));
    for (const socket of sockets)
      socket
        .on('error', () => undefined)
        .resume()
        .write(halfHeader(22_000));
    const refused = () =>
      fixture.server.logs
        .filter(({ reason }) => reason === 'header_half_sent')
        .reduce((sum, line) => sum + Number(line['refused']), 0);
    await expect.poll(refused, { timeout: 20_000 }).toBeGreaterThanOrEqual(250);
    expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
    for (const socket of sockets) socket.destroy();
    await fixture.server.stop();
  });
});
