import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import Fastify from 'fastify';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { concurrencyLimit } from '../../src/http/load/concurrency-limit.ts';
import { shedLoad } from '../../src/http/load/load-shedding.ts';
import { healthRoutes } from '../../src/http/routes/health-routes.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** A server with one place, and a clock that the test sets. */
async function onePlace(answer: () => Promise<unknown>) {
  const clock = { now: 0 };
  const app = Fastify({ forceCloseConnections: true });
  cleanUp.push(() => app.close());
  const { check } = shedLoad(app, 1, 60_000, pino({ level: 'silent' }), () => clock.now);
  healthRoutes(app, { requests: check }, () => false);
  app.post('/slow', answer);
  app.post('/', async () => 'answered');
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const post = async () => (await fetch(url, { method: 'POST' })).status;
  const ready = async () => (await fetch(`${url}/health/ready`)).status;
  const ask = async (path: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    cleanUp.push(() => socket.destroy());
    await once(socket, 'connect');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: as.example.com\r\nContent-Length: 0\r\n\r\n`);
    return socket;
  };
  return { app, clock, post, ready, ask };
}

describe('the place of a request', () => {
  it('is free when the answer is ready, whether the client takes it or not', async () => {
    const begun = Promise.withResolvers<void>();
    const { ask, post } = await onePlace(async () => {
      begun.resolve();
      return Buffer.alloc(64_000_000);
    });
    const socket = (await ask('/slow')).pause();
    await begun.promise;
    await expect.poll(post).toBe(200);
    expect(socket.bytesRead).toBeLessThan(64_000_000);
  });

  it('is held by work that goes on after its connection broke, and free when that is done', async () => {
    const [begun, work] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const { app, ask, post } = await onePlace(async () => {
      begun.resolve();
      return work.promise;
    });
    const gone = new Promise((resolve) =>
      app.server.on('connection', (socket) => socket.once('close', resolve)),
    );
    const socket = await ask('/slow');
    await begun.promise;
    socket.resetAndDestroy();
    await gone;
    expect(await post()).toBe(503);
    work.resolve('done');
    await expect.poll(post).toBe(200);
  });

  it('a server that has refused everything for some seconds is not ready until it has a place', async () => {
    const work = Promise.withResolvers<string>();
    const { clock, ask, post, ready } = await onePlace(async () => work.promise);
    const socket = await ask('/slow');
    await expect.poll(post).toBe(503);
    clock.now += 5000;
    expect([await post(), await ready()]).toEqual([503, 200]);
    clock.now += 1000;
    expect([await post(), await ready()]).toEqual([503, 503]);
    work.resolve('done');
    await once(socket, 'data');
    expect([await ready(), await post()]).toEqual([200, 200]);
  });
});

describe('places', () => {
  it('are given back once, however often that is said', () => {
    const places = concurrencyLimit(2, 100, () => 0);
    const [first] = [places.take(), places.take()];
    first?.giveBack();
    first?.giveBack();
    expect([places.take(), places.take()]).toEqual([expect.anything(), undefined]);
  });

  it('of those that wait for somebody else are free, and their time counts in no mean', async () => {
    let now = 0;
    const places = concurrencyLimit(200, 100, () => now);
    const others = Promise.withResolvers<string>();
    const waiting = Array.from({ length: 200 }, () => places.take());
    expect(places.open()).toBe(false);
    const answers = waiting.map(async (place) => place?.aside(async () => others.promise));
    expect(places.open()).toBe(true);
    now = 5000;
    others.resolve('answer');
    expect(await Promise.all(answers)).toEqual(waiting.map(() => 'answer'));
    expect(places.open()).toBe(false);
    for (const place of waiting) place?.giveBack();
    expect([places.open(), places.limit()]).toEqual([true, 200]);
  });

  it('given back while their owners wait, or after a wait that failed, are free once', async () => {
    const places = concurrencyLimit(1, 100, () => 0);
    const others = Promise.withResolvers<string>();
    const first = places.take();
    const answer = first?.aside(async () => others.promise);
    first?.giveBack();
    const second = places.take();
    others.reject(new Error('away'));
    await expect(answer).rejects.toThrow('away');
    expect(places.open()).toBe(false);
    await second?.aside(async () => Promise.reject(new Error('away'))).catch(() => undefined);
    expect(places.open()).toBe(false);
    second?.giveBack();
    expect(places.open()).toBe(true);
  });
});
