import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.ts';
import {
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const form = 'grant_type=client_credentials&client_id=stranger&client_secret=guessed';
const message = [
  'POST /token HTTP/1.1',
  'Host: as.example.com',
  'Content-Type: application/x-www-form-urlencoded',
  `Content-Length: ${form.length}`,
  '',
  form,
].join('\r\n');

/** Lines of the log about token requests. */
const lines = ({ server }: TokenEndpointFixture) =>
  server.logs.filter(({ msg, route }) => msg === 'request' && route === '/token');

/** How a connection ends after its requests. Over TLS a reset is that of the socket below. */
const ends: readonly (readonly [string, number, (socket: Socket) => void])[] = [
  ['is reset', 1, (socket) => void socket.resetAndDestroy()],
  ['is closed', 1, (socket) => void socket.destroy()],
  ['is closed in one direction', 1, (socket) => void socket.end()],
  ['is reset with ten requests under way', 10, (socket) => void socket.resetAndDestroy()],
  ['is closed with ten requests under way', 10, (socket) => void socket.destroy()],
];

/** More requests than there are places, in batches that fit. */
const listeners = [
  { listener: 'the public port', tls: false, places: 512, batches: 3, batch: 200 },
  { listener: 'the TLS port', tls: true, places: 50, batches: 3, batch: 20 },
];

describe.each(listeners)('$listener', { timeout: 60_000 }, ({ tls, places, batches, batch }) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-broken-'));
  let fixture: TokenEndpointFixture;
  let tlsPort: number;
  beforeAll(async () => {
    const { pem, keyPem } = await certificate({ subject: 'CN=as' });
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    tlsPort = await freePort();
    fixture = await tokenEndpointFixture({
      env: {
        MAX_CONCURRENT_REQUESTS: String(places),
        TLS_HOST: '127.0.0.1',
        TLS_PORT: String(tlsPort),
        TLS_CERT_FILE: file('cert.pem', pem),
        TLS_KEY_FILE: file('key.pem', keyPem),
      },
    });
  });
  afterAll(async () => {
    await fixture.server.stop();
    rmSync(folder, { recursive: true });
  });

  const opened = async (): Promise<{ socket: Socket; raw: Socket }> => {
    const raw = connectPlain(tls ? tlsPort : Number(new URL(fixture.server.url).port), '127.0.0.1');
    raw.on('error', () => undefined);
    const socket = tls ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
    socket.on('error', () => undefined);
    await once(socket, tls ? 'secureConnect' : 'connect');
    return { socket, raw };
  };

  it.each(ends)(
    `a connection that %s: ${batches * batch} requests leave a line each in the log, and all ${places} places`,
    async (_, requests, end) => {
      for (let done = 0; done < batches; done++) {
        const before = lines(fixture).length;
        const sockets = await Promise.all(Array.from({ length: batch / requests }, opened));
        for (const { socket, raw } of sockets)
          socket.write(message.repeat(requests), () => end(raw));
        await expect
          .poll(() => lines(fixture).length - before, { timeout: 10_000 })
          .toBeGreaterThanOrEqual(batch);
        for (const { socket } of sockets) socket.destroy();
        expect(lines(fixture).length - before).toBe(batch);
      }
      const ids = lines(fixture).map(({ reqId }) => reqId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(await fixture.outcome()).toBe(`200 ${fixture.key.jkt}`);
      expect((await fixture.server.get('/health/ready')).status).toBe(200);
    },
  );
});

const [postgresql] = storeKinds.filter(({ name }) => name === 'PostgreSQL');

describe.skipIf(postgresql === undefined)('a slow store (needs TEST_DATABASE_URL)', () => {
  let store: TestStore;
  let proxy: TcpProxy;
  let fixture: TokenEndpointFixture;
  beforeAll(async () => {
    store = (await postgresql?.make()) as TestStore;
    const url = new URL(store.env['DATABASE_URL'] ?? '');
    proxy = await tcpProxy(Number(url.port || 5432));
    url.host = `127.0.0.1:${proxy.port}`;
    fixture = await tokenEndpointFixture({
      store: { ...store, env: { ...store.env, DATABASE_URL: url.href } },
      env: { MAX_CONCURRENT_REQUESTS: '20' },
    });
  });
  afterAll(async () => {
    await fixture.server.stop();
    await proxy.close();
    await store.remove();
  });

  it('clients that give up meanwhile leave their places', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 3; round++) {
      await proxy.set('held');
      const before = lines(fixture).length;
      const sockets = Array.from({ length: 15 }, () =>
        connectPlain(Number(new URL(fixture.server.url).port), '127.0.0.1'),
      );
      for (const socket of sockets)
        socket.on('error', () => undefined).write(message, () => socket.resetAndDestroy());
      await expect.poll(() => lines(fixture).length - before, { timeout: 10_000 }).toBe(15);
      await proxy.set('open');
      await expect
        .poll(async () => fixture.outcome(), { timeout: 10_000 })
        .toBe(`200 ${fixture.key.jkt}`);
    }
  });
});
