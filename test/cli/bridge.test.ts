import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resourceServer } from '../../packages/resource-server/src/resource-server.ts';
import { type Api, openApi } from '../support/api.ts';
import { bridgeProfile, type RunningBridge, startBridge } from '../support/bridge.ts';
import { runCommand } from '../support/command.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { rawRequest } from '../support/raw-request.ts';
import { listening } from '../support/resource-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const secret = randomBytes(16).toString('hex');
const env = { HOLDFAST_BRIDGE_SECRET: secret };
const folder = scratchFolder();
let server: LiveServer;
let api: Api;
let bridge: RunningBridge;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer, { nonceRequired: true });
  await bridgeProfile(folder, server, api.origin);
  bridge = await startBridge(folder, ['--to', api.origin, '--listen', '127.0.0.1:0'], env);
});
beforeEach(() => {
  api.seen.length = 0;
});
afterAll(async () => {
  await bridge.stop();
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const withSecret = { 'holdfast-bridge-secret': secret };
const seen = () => api.seen.map(({ method, path, outcome }) => `${method} ${path} ${outcome}`);

describe('holdfast bridge', () => {
  it('adds token and proof, and answers a nonce by sending the small body again', async () => {
    const url = `${bridge.address}/a/../b%20c?d=e`;
    const answer = await fetch(url, { method: 'POST', body: 'hello', headers: withSecret });
    expect(await answer.json()).toEqual({ presenter: 'app', method: 'jkt', body: 'hello' });
    expect(seen()).toEqual(['POST /b%20c?d=e nonce_missing', 'POST /b%20c?d=e app by jkt']);
  });

  it('takes the local secret as an API key, and hands it on in no form', async () => {
    for (const headers of [withSecret, { authorization: `Bearer ${secret}` }])
      expect((await fetch(bridge.address, { headers })).status).toBe(200);
    expect(JSON.stringify(api.seen)).not.toContain(secret);
  });

  it('hands on fields of the request, but those of the connection (RFC 9110 §7.6.1)', async () => {
    const { status } = await rawRequest(bridge.address, 'GET', [
      ...Object.entries(withSecret),
      ['Connection', 'X-Hop, close'],
      ['X-Hop', '1'],
      ['Keep-Alive', 'timeout=9'],
      ['Proxy-Authorization', 'Basic x'],
      ['TE', 'trailers'],
      ['X-End', '2'],
      ['X-End', '3'],
    ]);
    expect(status).toBe(200);
    const { headers } = api.seen.at(-1) ?? {};
    expect(headers).toMatchObject({ 'x-end': '2, 3', via: '1.1 holdfast-bridge' });
    expect(headers?.host).toBe(new URL(api.origin).host);
    for (const name of ['x-hop', 'te', 'proxy-authorization', 'holdfast-bridge-secret'])
      expect(headers).not.toHaveProperty(name);
  });

  it('serves HTTP/1.1 to whoever offers HTTP/2, as Java does with every request', async () => {
    const { status, body } = await rawRequest(
      bridge.address,
      'POST',
      [
        ...Object.entries(withSecret),
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA'],
        ['Content-Length', '5'],
      ],
      'hello',
    );
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ body: 'hello' })]);
    expect(api.seen.at(-1)?.headers).not.toHaveProperty('http2-settings');
  });

  it('hands a redirect back and follows none', async () => {
    const url = `${bridge.address}/old?to=${encodeURIComponent('https://elsewhere.example/')}`;
    const answer = await fetch(url, { headers: withSecret, redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([
      302,
      'https://elsewhere.example/',
    ]);
    expect(api.seen).toHaveLength(1);
  });

  it('obtains a new token when the API refuses the old one', async () => {
    await fetch(bridge.address, { headers: withSecret });
    api.withdrawn.add(String(api.seen.at(-1)?.headers.authorization).slice(5));
    expect((await fetch(bridge.address, { headers: withSecret })).status).toBe(200);
    expect(seen()).toEqual(['GET / app by jkt', 'GET / withdrawn', 'GET / app by jkt']);
  });

  it('never sends a streamed body again: the 401 goes back', async () => {
    const other = await openApi(server.issuer, { nonceRequired: true });
    await server.admin('POST', 'resource-servers', { audience: other.origin });
    const own = await startBridge(
      folder,
      ['--to', other.origin, '--resource', other.origin, '--listen', '127.0.0.1:0'],
      env,
    );
    const sent = async (body: RequestInit['body']) =>
      fetch(own.address, {
        method: 'PUT',
        headers: withSecret,
        body: body ?? null,
        duplex: 'half',
      } as RequestInit);
    const large = 'x'.repeat(100_000);
    expect((await sent(large)).status).toBe(401);
    expect((await sent(large)).status).toBe(200);
    expect((await sent(new Blob(['streamed']).stream())).status).toBe(200);
    expect(other.seen.map(({ outcome, body }) => `${outcome} ${body.length}`)).toEqual([
      'nonce_missing 100000',
      'app by jkt 100000',
      'app by jkt 8',
    ]);
    await own.stop();
    await other.close();
  });
});

describe('holdfast bridge refuses', () => {
  const own = 'Host: 127.0.0.1\r\n';
  const key = `Holdfast-Bridge-Secret: ${secret}\r\n`;
  it.each([
    ['no secret', `GET / HTTP/1.1\r\n${own}\r\n`, 401],
    ['a wrong secret', `GET / HTTP/1.1\r\n${own}Holdfast-Bridge-Secret: x\r\n\r\n`, 401],
    ['Authorization', `GET / HTTP/1.1\r\n${own}${key}Authorization: Bearer x\r\n\r\n`, 400],
    ['Basic', `GET / HTTP/1.1\r\n${own}${key}Authorization: Basic eDp5\r\n\r\n`, 400],
    [
      'a token beside the secret',
      `GET / HTTP/1.1\r\n${own}Authorization: Bearer ${secret}\r\nAuthorization: DPoP x\r\n\r\n`,
      400,
    ],
    ['DPoP', `GET / HTTP/1.1\r\n${own}${key}DPoP: x\r\n\r\n`, 400],
    ['PoP', `GET / HTTP/1.1\r\n${own}${key}pop: x\r\n\r\n`, 400],
    ['a foreign Host', `GET / HTTP/1.1\r\nHost: evil.example\r\n${key}\r\n`, 421],
    [
      'a Host that starts well',
      `GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n${key}\r\n`,
      421,
    ],
    ['no Host', `GET / HTTP/1.0\r\n${key}\r\n`, 421],
    ['a second Host', `GET / HTTP/1.1\r\n${own}Host: evil.example\r\n${key}\r\n`, 421],
    ['another target', `GET http://evil.example/ HTTP/1.1\r\n${own}${key}\r\n`, 421],
    ['another scheme', `GET ftp://127.0.0.1/ HTTP/1.1\r\n${own}${key}\r\n`, 421],
    ['the server as target', `OPTIONS * HTTP/1.1\r\n${own}${key}\r\n`, 421],
    ['CONNECT', `CONNECT api.example.com:443 HTTP/1.1\r\n${own}${key}\r\n`, 405],
    ['TRACE', `TRACE / HTTP/1.1\r\n${own}${key}\r\n`, 405],
    ['TRACK', `TRACK / HTTP/1.1\r\n${own}${key}\r\n`, 400],
    ['trace', `trace / HTTP/1.1\r\n${own}${key}\r\n`, 400],
    ['Origin', `GET / HTTP/1.1\r\n${own}${key}Origin: http://127.0.0.1\r\n\r\n`, 403],
    ['an opaque Origin', `GET / HTTP/1.1\r\n${own}${key}Origin: null\r\n\r\n`, 403],
    ['Sec-Fetch-Site', `GET / HTTP/1.1\r\n${own}${key}Sec-Fetch-Site: none\r\n\r\n`, 403],
    ['Sec-Fetch-Dest', `GET / HTTP/1.1\r\n${own}${key}sec-fetch-dest: image\r\n\r\n`, 403],
    ['a mode of images', `GET / HTTP/1.1\r\n${own}${key}Sec-Fetch-Mode: no-cors\r\n\r\n`, 403],
    ['an old browser', `GET / HTTP/1.1\r\n${own}${key}User-Agent: Mozilla/5.0 (X)\r\n\r\n`, 403],
    [
      'a length beside an encoding',
      `POST / HTTP/1.1\r\n${own}${key}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      'two lengths',
      `POST / HTTP/1.1\r\n${own}${key}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
      400,
    ],
    ['a length with a sign', `POST / HTTP/1.1\r\n${own}${key}Content-Length: +4\r\n\r\nabcd`, 400],
    [
      'an encoding before chunked',
      `POST / HTTP/1.1\r\n${own}${key}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      501,
    ],
    [
      'chunked that is not the last',
      `POST / HTTP/1.1\r\n${own}${key}Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['a folded field', `GET / HTTP/1.1\r\n${own}${key}X: a\r\n DPoP: x\r\n\r\n`, 400],
    ['a blank before the colon', `GET / HTTP/1.1\r\n${own}${key}DPoP : x\r\n\r\n`, 400],
    [
      'a WebSocket of a page',
      `GET / HTTP/1.1\r\n${own}${key}Origin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      403,
    ],
    [
      'a WebSocket with a body',
      `GET / HTTP/1.1\r\n${own}${key}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx`,
      400,
    ],
  ])('%s', async (_case, message, status) => {
    const { port } = new URL(bridge.address);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(message);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(api.seen).toEqual([]);
  });

  it.each([
    'AppleCoreMedia/1.0.0.21G93 (Macintosh; U; Intel Mac OS X 12_5_1; en_us)',
    'Safari/19618.1.15 CFNetwork/1494.0.7 Darwin/23.4.0',
    'MobileSafari/8617.2 CFNetwork/1494.0.7 Darwin/23.4.0',
    'com.apple.WebKit.Networking/8617.2 CFNetwork/1494.0.7 Darwin/23.4.0',
    'NetworkingExtension/8617.2.4 Network/4277.102.2 iOS/17.4.1',
    'stagefright/1.2 (Linux;Android 5.0)',
    'QuickTime/7.6.6 (qtver=7.6.6;os=Windows NT 6.1)',
    'NSPlayer/12.0.7601.17514 WMFSDK/12.0.7601.17514',
    'Windows-Media-Player/12.0.7601.17514',
  ])('what a page has fetched by a part of the browser that is no Mozilla: %s', async (agent) => {
    const fields = [...Object.entries(withSecret), ['User-Agent', agent]] as const;
    expect((await rawRequest(bridge.address, 'GET', fields)).status).toBe(403);
    expect(api.seen).toEqual([]);
  });

  it('but takes what the fetch and the WebSocket of Node.js send, and pages that are named', async () => {
    const named = await startBridge(folder, [
      '--to',
      api.origin,
      '--listen',
      '127.0.0.1:0',
      '--any-local-user',
      '--allow-origin',
      'https://page.example',
    ]);
    const page = { origin: 'https://page.example', 'sec-fetch-site': 'cross-site' };
    for (const headers of [{ 'sec-fetch-mode': 'cors' }, { 'sec-fetch-mode': 'websocket' }, page])
      expect((await rawRequest(named.address, 'GET', Object.entries(headers))).status).toBe(200);
    const other = { origin: 'https://page.example.evil.example' };
    expect((await rawRequest(named.address, 'GET', Object.entries(other))).status).toBe(403);
    await named.stop();
  });
});

describe('holdfast bridge listens', () => {
  const start = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    startBridge(folder, ['--to', api.origin, ...args], more);

  it('on a Unix socket of its user, unless told otherwise', async () => {
    const own = await start([]);
    const path = own.address.replace('unix:', '');
    expect(path).toMatch(/holdfast\/bridge-default\.sock$/);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(lstatSync(join(path, '..')).mode & 0o777).toBe(0o700);
    const asked = async (host: string) => {
      const outgoing = httpRequest({ socketPath: path, path: '/x', headers: { host } }).end();
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    expect(await asked('localhost')).toBe(200);
    expect(await asked(new URL(api.origin).host)).toBe(200);
    expect(await asked('evil.example')).toBe(421);
    await own.stop();
    expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('takes the place of a bridge that was killed, but not of one that runs', async () => {
    const path = join(folder, 'own.sock');
    const killed = await start(['--listen', `unix:${path}`]);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    const next = await start(['--listen', `unix:${path}`]);
    await expect(start(['--listen', `unix:${path}`])).rejects.toThrow('Another bridge listens');
    await next.stop();
    writeFileSync(path, '');
    await expect(start(['--listen', `unix:${path}`])).rejects.toThrow('not a socket');
    const { host } = new URL(api.origin);
    await expect(start(['--listen', host, '--any-local-user'])).rejects.toThrow(
      `${host} is taken by another program.`,
    );
  });

  it.each([
    ['a folder that everybody may write to', 0o777],
    ['a folder of a group', 0o770],
    ['a folder such as /tmp', 0o1777],
  ])('in no %s', async (_case, mode) => {
    const open = join(folder, 'open');
    mkdirSync(open, { recursive: true });
    chmodSync(open, mode);
    await expect(start(['--listen', `unix:${open}/a.sock`])).rejects.toThrow('Others may write');
  });

  it.each([
    ['below a folder that everybody may write to', 0o777, undefined, 'own'],
    ['below a folder of a group', 0o770, undefined, 'own'],
    ['behind a link in a folder of a group', 0o770, '../safe', 'link'],
    ['behind a link to such a link', 0o770, '../safe', '../first'],
  ])('in no folder %s', async (_case, mode, to, path) => {
    const above = madeFolders(mode, to);
    const listenAt = `unix:${join(above, path)}/a.sock`;
    await expect(start(['--listen', listenAt])).rejects.toThrow(`Others may write to ${above}:`);
  });

  it('in a folder of its user below one such as /tmp, also by a link', async () => {
    const above = madeFolders(0o1777, '../safe');
    for (const path of ['own', 'link', '../first']) {
      const own = await start(['--listen', `unix:${join(above, path)}/a.sock`]);
      expect(await own.stop()).toBe(0);
    }
  });

  // Only root can give files away.
  it.skipIf(process.getuid?.() !== 0).each([
    ['below a folder of another user', 0o755, 'own', ''],
    ['below one such as /tmp of another user', 0o1777, 'own', ''],
    ['that is of another user', 0o1777, 'own', 'own'],
    ['by a link of another user', 0o1777, 'link', 'link'],
  ])('in no folder %s', async (_case, mode, path, foreign) => {
    const above = madeFolders(mode, '../safe');
    lchownSync(join(above, foreign), 65_534, 65_534);
    await expect(start(['--listen', `unix:${join(above, path)}/a.sock`])).rejects.toThrow(
      `Others may write to ${join(above, foreign).replace(/\/$/, '')}:`,
    );
  });

  /** `above` with the folder `own` and a link, beside a link to that link and the folder `safe`. */
  const madeFolders = (mode: number, to = 'own'): string => {
    const above = join(mkdtempSync(join(folder, 'at-')), 'above');
    for (const path of [above, join(above, 'own'), join(above, '../safe')])
      mkdirSync(path, { mode: 0o700 });
    symlinkSync(to, join(above, 'link'));
    symlinkSync('above/link', join(above, '../first'));
    chmodSync(above, mode);
    return above;
  };

  it.each([
    ['TCP without a secret', ['--to', 'API', '--listen', '127.0.0.1:0'], 5],
    ['another interface', ['--to', 'API', '--listen', '0.0.0.0:0', '--any-local-user'], 2],
    ['another machine in the clear', ['--to', 'http://api.example.com'], 5],
    ['an API that the token is not for', ['--to', 'https://api.example.com'], 2],
    ['a path', ['--to', 'API/v1'], 2],
    ['nothing to forward to', [], 2],
  ])('and refuses %s', async (_case, args, code) => {
    const named = args.map((arg) => arg.replace('API', api.origin));
    expect(await runCommand(folder, ['bridge', ...named])).toMatchObject({ code, stdout: '' });
  });
});

describe('a WebSocket through the bridge', () => {
  it('carries frames both ways, behind a nonce, and closes with either end', async () => {
    const target = await openEcho(server);
    await server.admin('POST', 'resource-servers', { audience: target.origin });
    const own = await startBridge(folder, [
      '--to',
      target.origin,
      '--resource',
      target.origin,
      '--listen',
      '127.0.0.1:0',
      '--any-local-user',
    ]);
    const chat = `${own.address.replace('http', 'ws')}/chat`;
    const client = await opened(chat);
    for (const message of ['one', 'two']) {
      client.send(message);
      const [event] = (await once(client, 'message')) as [MessageEvent];
      expect(event.data).toBe(message);
    }
    expect(target.outcomes).toEqual(['nonce_missing', 'app']);
    const closed = once(client, 'close');
    target.sockets[0]?.destroy();
    await closed;
    const second = await opened(chat);
    const gone = once(target.sockets.at(-1) as Duplex, 'close');
    second.close();
    await gone;
    await opened(chat);
    expect(await own.stop()).toBe(0);
    await target.close();
  });
});

/** An open WebSocket. As its users do, it tries again after 10 s of silence or a refusal. */
async function opened(url: string, tries = 3): Promise<WebSocket> {
  const socket = new WebSocket(url);
  const signal = AbortSignal.timeout(10_000);
  const outcome = await Promise.race([
    once(socket, 'open', { signal }).then(
      () => 'open',
      () => 'silence',
    ),
    once(socket, 'error').then(() => 'error'),
  ]);
  if (outcome === 'open') return socket;
  if (tries === 1) throw new Error(`the WebSocket did not open: ${outcome}`);
  socket.close();
  return opened(url, tries - 1);
}

/** An API whose WebSockets send every small text back; it wants a nonce. */
async function openEcho({ issuer }: LiveServer) {
  const outcomes: string[] = [];
  const sockets: Duplex[] = [];
  const own = createServer();
  const { port, close } = await listening(own);
  const origin = `http://127.0.0.1:${port}`;
  const verify = resourceServer({
    issuer: { issuer },
    audience: origin,
    nonce: { secret: randomBytes(32) },
  });
  own.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    const { method = '', url = '', rawHeaders, headers } = request;
    verify({ method, url: `${origin}${url}`, headers: rawHeaders }).then(
      ({ presenter }) => {
        outcomes.push(String(presenter));
        sockets.push(socket);
        const magic = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
        const accept = createHash('sha1').update(magic).digest('base64');
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket
          .on('error', () => undefined)
          .on('data', (frame: Buffer) => {
            const mask = frame.subarray(2, 6);
            const plain = frame.subarray(6).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
            const echo = Buffer.concat([Buffer.from([frame[0] ?? 0, plain.length]), plain]);
            // 8: it wants to close (RFC 6455 §5.5.1).
            if (((frame[0] ?? 0) & 15) === 8) socket.end(echo);
            else socket.write(echo);
          });
      },
      ({ reason, headers: fields }: { reason: string; headers: Record<string, string> }) => {
        outcomes.push(reason);
        const lines = Object.entries(fields).map((field) => `${field.join(': ')}\r\n`);
        socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n${lines.join('')}\r\n`);
      },
    );
  });
  return {
    origin,
    outcomes,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await close();
    },
  };
}
