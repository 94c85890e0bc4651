import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bridgeProfile, type RunningBridge, startBridge } from '../support/bridge.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { openRaw } from '../support/raw-api.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder();
let server: LiveServer;
let raw: Awaited<ReturnType<typeof openRaw>>;

beforeAll(async () => {
  server = await liveServer();
  raw = await openRaw();
  await bridgeProfile(folder, server, raw.origin);
});
afterAll(async () => {
  raw.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits until the socket is closed, by a reset too. */
const end = async (socket: Socket) => finished(socket).catch(() => undefined);

/** A bridge to the raw API that lets its requests stand still for so many seconds; 0: for ever. */
const startOwn = async (idleTimeout: number) => {
  const listen = ['--listen', '127.0.0.1:0', '--any-local-user'];
  return startBridge(folder, ['--to', raw.origin, ...listen, '--idle-timeout', `${idleTimeout}`]);
};

describe('every end of a request', () => {
  let own: RunningBridge;
  let patient: RunningBridge;
  beforeAll(async () => {
    own = await startOwn(1);
    patient = await startOwn(0);
  });
  afterAll(async () => {
    await Promise.all([own.stop(), patient.stop()]);
  });

  it('the API breaks off: so does the answer', async () => {
    raw.behave = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
      setTimeout(() => socket.destroy(), 50);
    };
    const answer = await fetch(own.address);
    await expect(answer.text()).rejects.toThrow('terminated');
  });

  it('the API says nothing: 504', async () => {
    raw.behave = () => undefined;
    expect((await fetch(own.address)).status).toBe(504);
  });

  it('the API answers two lengths: 502', async () => {
    raw.behave = (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      );
    expect((await fetch(own.address)).status).toBe(502);
  });

  it('the client breaks off: the API is let go, while it answers or before', async () => {
    for (const start of ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', '']) {
      const reached = Promise.withResolvers<Socket>();
      raw.behave = (socket) => {
        socket.write(start);
        reached.resolve(socket);
      };
      const client = httpRequest(own.address)
        .on('error', () => undefined)
        .end();
      const socket = await reached.promise;
      const closed = end(socket);
      await sleep(20);
      client.destroy();
      await closed;
      expect(socket.destroyed).toBe(true);
    }
  });

  it('the API answers before the upload ends: the answer gets through', async () => {
    raw.behave = (socket) => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
    const outgoing = httpRequest(own.address, { method: 'POST' }).on('error', () => undefined);
    outgoing.write('x'.repeat(1000));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect([answer.statusCode, await text(answer)]).toEqual([413, 'no']);
    outgoing.destroy();
  });

  it('the API wants a nonce before it reads a stream: the stream goes with the second proof', async () => {
    const nonces: unknown[] = [];
    raw.behave = (socket, header) => {
      const [, proof = ''] = /^dpop: (.+)\r$/im.exec(header) ?? [];
      const { nonce } = decodeJwt(proof);
      nonces.push([nonce, /^expect: 100-continue\r$/im.test(header)]);
      if (nonce !== 'n1')
        return socket.write(
          'HTTP/1.1 401 Unauthorized\r\nDPoP-Nonce: n1\r\nContent-Length: 0\r\n' +
            'WWW-Authenticate: DPoP error="use_dpop_nonce", algs="ES256"\r\n\r\n',
        );
      socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      return socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
      );
    };
    const body = new Blob(['streamed']).stream();
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    expect((await fetch(own.address, init)).status).toBe(200);
    expect(nonces).toEqual([
      [undefined, true],
      ['n1', true],
    ]);
  });

  it.each([
    ['after it has begun', 2],
    ['at once and again', 1],
  ])('the API asks for a body %s: it goes once, and no byte more', async (_case, asking) => {
    const half = (name: string) =>
      Array.from({ length: 12_000 }, (_, at) => `${name}${at},`).join();
    const body = half('a') + half('b');
    let [received, asked] = ['', 0];
    const begun = Promise.withResolvers<void>();
    raw.behave = (socket) => {
      const ask = () => ++asked >= asking && socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      ask();
      socket.once('data', ask).on('data', (chunk: Buffer) => {
        received += chunk.toString();
        begun.resolve();
        // What comes behind the end would be read as the next request.
        if (received.length >= body.length)
          setTimeout(
            () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
            100,
          );
      });
    };
    const headers = { 'content-length': body.length };
    const outgoing = httpRequest(patient.address, { method: 'POST', headers });
    outgoing.write(half('a'));
    await begun.promise;
    await sleep(100);
    outgoing.end(half('b'));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect([answer.resume().statusCode, received.length]).toEqual([200, body.length]);
    expect(received).toBe(body);
  });

  it.each([
    ['is endless', 'Transfer-Encoding: chunked', `1000\r\n${'x'.repeat(4096)}\r\n`, 0],
    ['ends with the connection', 'X: y', 'x'.repeat(4096), 0],
    ['comes byte by byte', 'Content-Length: 60000', 'x', 20],
    ['never comes', 'Content-Length: 60000', '', 20],
  ])(
    'the body of an answer that is not wanted %s: the API is let go',
    async (_case, framing, piece, pause) => {
      const nonce = randomUUID();
      const refused = Promise.withResolvers<Socket>();
      raw.behave = async (socket, header) => {
        const [, proof = ''] = /^dpop: (.+)\r$/im.exec(header) ?? [];
        if (decodeJwt(proof)['nonce'] === nonce)
          return void socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
        socket.write(
          `HTTP/1.1 401 Unauthorized\r\nDPoP-Nonce: ${nonce}\r\n${framing}\r\n` +
            'WWW-Authenticate: DPoP error="use_dpop_nonce", algs="ES256"\r\n\r\n',
        );
        refused.resolve(socket);
        for (; !socket.destroyed; await sleep(pause)) socket.write(piece);
        return undefined;
      };
      expect((await fetch(patient.address)).status).toBe(204);
      const socket = await refused.promise;
      await end(socket);
      expect(socket.destroyed).toBe(true);
    },
  );

  it.each([
    ['a status that there is not', 'HTTP/1.1 099 Odd'],
    ['a status of no digits', 'HTTP/1.1 abc Odd'],
  ])('the API answers %s: 502, and it is let go', async (_case, line) => {
    const reached = Promise.withResolvers<Socket>();
    raw.behave = (socket) => {
      socket.write(`${line}\r\nContent-Length: 10\r\n\r\nabc`);
      reached.resolve(socket);
    };
    expect((await fetch(patient.address)).status).toBe(502);
    const socket = await reached.promise;
    await end(socket);
    expect(socket.destroyed).toBe(true);
  });

  it('the API restarts: connections that were kept are no reason to fail', async () => {
    raw.behave = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await fetch(own.address)).status).toBe(200);
    // The kept connection dies at the moment of the next request.
    let first = true;
    raw.behave = (socket) => {
      if (first) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      first = false;
    };
    expect((await fetch(own.address)).status).toBe(200);
    raw.close();
    expect((await fetch(own.address)).status).toBe(502);
    await raw.open();
    expect((await fetch(own.address)).status).toBe(200);
  });
});
