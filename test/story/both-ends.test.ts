import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { languages } from '../examples/languages.ts';
import { type Api, openApi } from '../support/api.ts';
import { adapted, blocksOf } from '../support/front-door.ts';
import { gatewayToken } from '../support/gateway.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { needs } from '../support/left-out.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { cors, hasChromium, openPages, type Pages, preflight } from '../support/pages.ts';
import { ath } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { rawRequest } from '../support/raw-request.ts';
import { openRecipient, type Recipient } from '../support/resource-server.ts';
import { scratchFolder } from '../support/scratch.ts';
import { basic } from '../support/server.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

type Fields = readonly (readonly [string, string])[];

/** nginx as its page says, on loopback without TLS, for an API that pages may call. */
function configuration(port: number, origin: string, holdfast: string, upstream: string): string {
  const fields = Object.entries(cors).map(
    ([name, value]) => `add_header ${name} "${value}" always;`,
  );
  const block = adapted(blocksOf('nginx.md', 'nginx', 'gateways')[0] ?? '', [
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    ['server_name api.example.com;', ''],
    ['ssl_certificate     /etc/nginx/tls.crt;', ''],
    ['ssl_certificate_key /etc/nginx/tls.key;', ''],
    ['ssl_verify_client optional_no_ca;', ''],
    ['audience=https%3A%2F%2Fapi.example.com', `audience=${encodeURIComponent(origin)}`],
    ['127.0.0.1:8082', holdfast],
    ['127.0.0.1:3000', upstream],
    ['GATEWAY_TOKEN', gatewayToken],
    [
      'auth_request /holdfast;',
      `auth_request /holdfast; ${fields.join(' ')}
       if ($request_method = OPTIONS) { ${fields.join(' ')} return 204; }`,
    ],
  ]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${name};`)
    .join(' ');
  return `daemon off; worker_processes 1; pid pid; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {} http { access_log off; ${temporary} ${block} }`;
}

/** Needs nginx; clients whose language is not here are left out. */
describe.skipIf(!needs.nginx.isHere())('clients of four kinds at two kinds of APIs', () => {
  const folder = scratchFolder();
  const doors: ChildProcess[] = [];
  const seen: IncomingHttpHeaders[] = [];
  let [server, api, twin]: [LiveServer, Api, Recipient] = [] as never;
  let [upstream, pages, page]: [Server, Pages | undefined, Page | undefined] = [] as never;
  /** Two gateways of one API, which clients know by the origin of the first. */
  let [gateway, second]: [string, string] = ['', ''];
  let [key, thief]: [TestKey, TestKey] = [] as never;

  beforeAll(async () => {
    server = await liveServer({
      DPOP_NONCE: 'required',
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN: gatewayToken,
    });
    [key, thief] = [await testKey(), await testKey()];
    upstream = createServer(({ headers }, response) => {
      seen.push(headers);
      response.end(JSON.stringify({ presenter: headers['holdfast-presenter'] }));
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const ports = [await freePort(), await freePort()];
    [gateway = '', second = ''] = ports.map((port) => `http://127.0.0.1:${port}`);
    for (const port of ports) doors.push(await openGateway(port));

    const asking = (clientId: string) => ({
      issuer: server.issuer,
      introspection: { clientId, clientSecret },
    });
    const pageMayCall = { headers: cors, open: preflight };
    api = await openApi(server.issuer, { issuer: asking('api'), ...pageMayCall });
    // A resource server for the URIs of the gateways.
    twin = await openRecipient(server, { audience: gateway, issuer: asking('gateway') });
    for (const [client_id, audience] of [
      ['gateway', gateway],
      ['api', api.origin],
    ])
      await server.admin('POST', 'resource-servers', {
        audience,
        client_id,
        client_secret: clientSecret,
        scopes: ['read'],
        origins: [audience],
      });
    await server.admin('POST', 'clients', {
      client_id: 'reports',
      client_secret: clientSecret,
      scope: 'read',
    });
    if (hasChromium) await openPage();
  });
  afterAll(async () => {
    await pages?.close();
    for (const door of doors) {
      door.kill('SIGTERM');
      if (door.exitCode === null) await once(door, 'exit');
    }
    upstream.closeAllConnections();
    upstream.close();
    await Promise.all([api.close(), twin.close()]);
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  async function openGateway(port: number): Promise<ChildProcess> {
    const own = join(folder, String(port));
    mkdirSync(join(own, 'logs'), { recursive: true });
    const address = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const holdfast = server.gatewayUrl.replace('http://', '');
    const text = configuration(port, gateway, holdfast, address);
    writeFileSync(join(own, 'nginx.conf'), text, { mode: 0o600 });
    const nginx = ['-p', own, '-c', join(own, 'nginx.conf'), '-e', 'stderr'];
    const door = spawn('nginx', nginx, { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaints = '';
    door.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    while ((await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)) === undefined) {
      if (door.exitCode !== null) throw new Error(complaints);
      await sleep(20);
    }
    return door;
  }

  async function openPage(): Promise<void> {
    pages = await openPages({ issuer: server.issuer, clientId: 'page' });
    page = await pages.open();
    const publicJwk = await page.evaluate(
      async () => (await globalThis.holder({ resource: 'https://api.example.com' })).publicJwk,
    );
    await server.admin('POST', 'clients', {
      client_id: 'page',
      token_endpoint_auth_method: 'private_key_jwt',
      scope: 'read',
      jwks: { keys: [publicJwk] },
    });
  }

  /** Calls the API as the program does, and answers what it got. */
  const callBy = (name: string) => async (resource: string) => {
    const [program, ...args] = languages.find((one) => one.name === name)?.client() ?? [''];
    const env = { ISSUER: server.issuer, RESOURCE: resource, CLIENT_ID: 'reports' };
    const { stdout } = await promisify(execFile)(program, [...args, `${resource}/events`], {
      env: { PATH: process.env['PATH'], HOME: folder, CLIENT_SECRET: clientSecret, ...env },
    });
    return JSON.parse(stdout) as { readonly presenter: string };
  };
  const callByPage = async (resource: string) =>
    (await page?.evaluate(async (audience) => {
      const holder = await globalThis.holder({ resource: audience });
      return (await holder.fetch(`${audience}/events`)).json();
    }, resource)) as { readonly presenter: string };

  const present = async (at: string, fields: Fields) =>
    rawRequest(`${at}/events`, 'GET', [['host', new URL(gateway).host], ...fields]);
  const proofBy = async (by: TestKey, token: string, htu: string, nonce: string) =>
    by.proof({ htm: 'GET', htu, ath: ath(token), iat: Math.floor(Date.now() / 1000), nonce });

  describe.each([
    ...languages
      .filter(({ name }) => ['shell', 'Python', 'Go'].includes(name))
      .map(({ name, here }) => ({ name, here, call: callBy(name), client: 'reports' })),
    { name: 'a page in Chromium', here: hasChromium, call: callByPage, client: 'page' },
  ])('$name', ({ here, call, client }) => {
    it.skipIf(!here)('calls the API behind nginx; the thief gets in nowhere', async () => {
      expect((await call(gateway)).presenter).toBe(client);
      const { authorization = '', dpop = '' } = seen.at(-1) ?? {};
      await getsNowhere(authorization, String(dpop), [gateway, second, twin.url]);
    });
    it.skipIf(!here)('calls the API with the library; the thief gets in nowhere', async () => {
      expect((await call(api.origin)).presenter).toBe(client);
      const { authorization = '', dpop = '' } = api.seen.at(-1)?.headers ?? {};
      await getsNowhere(authorization, String(dpop), [api.origin, gateway, second, twin.url]);
    });
  });

  /** Whoever has read the whole request can do nothing with it, at any of these. */
  async function getsNowhere(authorization: string, dpop: string, places: readonly string[]) {
    const [, token = ''] = authorization.split(' ');
    expect(token).toMatch(/^eyJ/);
    const before = seen.length;
    for (const place of places) {
      const alone = await present(place, [['authorization', authorization]]);
      const htu = `${place === api.origin ? place : gateway}/events`;
      const nonce = String(
        alone.headers['dpop-nonce'] ?? (await nonceOf(place, authorization, htu)),
      );
      const attempts: readonly Fields[] = [
        [['authorization', `Bearer ${token}`]],
        [
          ['authorization', authorization],
          ['dpop', dpop],
        ],
        [
          ['authorization', authorization],
          ['dpop', await proofBy(thief, token, htu, nonce)],
        ],
      ];
      expect(alone.status).toBe(401);
      for (const fields of attempts) expect((await present(place, fields)).status).toBe(401);
    }
    expect(seen.length).toBe(before);
  }

  /** The nonce that a proof without one is answered with. */
  async function nonceOf(place: string, authorization: string, htu: string): Promise<string> {
    const [, token = ''] = authorization.split(' ');
    const dpop = await key.proof({
      htm: 'GET',
      htu,
      ath: ath(token),
      iat: Math.floor(Date.now() / 1000),
    });
    const { headers } = await present(place, [
      ['authorization', authorization],
      ['dpop', dpop],
    ]);
    return String(headers['dpop-nonce'] ?? '');
  }

  describe('RFC 9449 §11.1: a proof counts once, wherever it is used', () => {
    let [token, nonce]: [string, string] = ['', ''];
    beforeAll(async () => {
      const form = { grant_type: 'client_credentials', resource: gateway };
      const ask = async (claims: object) =>
        server.post('/token', form, {
          authorization: basic('reports', clientSecret),
          dpop: await key.proof({
            htu: `${server.issuer}/token`,
            iat: Math.floor(Date.now() / 1000),
            ...claims,
          }),
        });
      nonce = (await ask({})).headers.get('dpop-nonce') ?? '';
      token = (await ask({ nonce })).body.access_token as string;
    });

    it.each([
      ['the first gateway', () => [gateway, second, twin.url]],
      ['the second gateway', () => [second, twin.url, gateway]],
      ['the resource server', () => [twin.url, gateway, second]],
    ] as const)('used at %s, it is refused at the others', async (_, places) => {
      const dpop = await proofBy(key, token, `${gateway}/events`, nonce);
      const statuses: number[] = [];
      for (const place of [...places(), ...places()])
        statuses.push(
          (
            await present(place, [
              ['authorization', `DPoP ${token}`],
              ['dpop', dpop],
            ])
          ).status,
        );
      expect(statuses).toEqual([200, 401, 401, 401, 401, 401]);
    });

    it('of requests to all of them at once, one passes', async () => {
      const dpop = await proofBy(key, token, `${gateway}/events`, nonce);
      const fields: Fields = [
        ['authorization', `DPoP ${token}`],
        ['dpop', dpop],
      ];
      const places = Array.from({ length: 5 }, () => [gateway, second, twin.url]).flat();
      const answers = await Promise.all(places.map(async (place) => present(place, fields)));
      const passed = answers.filter(({ status }) => status === 200);
      expect([
        passed.length,
        answers.every(({ status }) => status === 200 || status === 401),
      ]).toEqual([1, true]);
    });
  });
});
