import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi, openStranger } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';

const executablePath = '/usr/bin/chromium';
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const root = join(import.meta.dirname, '../..');

/** Without it there is nothing to test: `apt-get install chromium`. */
describe.skipIf(!existsSync(executablePath))('in Chromium, if /usr/bin/chromium exists', () => {
  let server: LiveServer;
  let api: Api;
  let stranger: Awaited<ReturnType<typeof openStranger>>;
  let pages: Server;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const dist = mkdtempSync(join(tmpdir(), 'holdfast-dist-'));

  /** What an API must say for pages of other origins to call it. */
  const cors = {
    'access-control-allow-origin': '*',
    'access-control-allow-headers': 'Authorization, DPoP, Content-Type',
    'access-control-allow-methods': 'GET, POST, PUT',
    'access-control-expose-headers': 'DPoP-Nonce, WWW-Authenticate, Date',
  };
  const preflight = (request: IncomingMessage, response: ServerResponse) =>
    request.method === 'OPTIONS' && Boolean(response.writeHead(204, cors).end());

  beforeAll(async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const project = ['-p', join(root, 'packages/client'), '--outDir', dist];
    execFileSync(process.execPath, [tsc, ...project]);
    server = await liveServer({ DPOP_NONCE: 'required' });
    api = await openApi(server.issuer, { nonceRequired: true, headers: cors, open: preflight });
    stranger = await openStranger();
    await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
    pages = createServer(servePage).listen(0, '127.0.0.1');
    await once(pages, 'listening');
    browser = await chromium.launch({ executablePath, args });
    context = await browser.newContext();
    page = await opened();
    const publicJwk = await page.evaluate(async () => (await globalThis.holder()).publicJwk);
    await server.admin('POST', 'clients', {
      client_id: 'page',
      token_endpoint_auth_method: 'private_key_jwt',
      scope: 'read',
      jwks: { keys: [publicJwk] },
    });
  });
  afterAll(async () => {
    await browser?.close();
    pages?.closeAllConnections();
    pages?.close();
    await Promise.all([api?.close(), stranger?.close(), server?.stop()]);
    rmSync(dist, { recursive: true });
  });

  const module = readFileSync(join(root, 'node_modules/oauth4webapi/build/index.js'), 'utf8');
  const html = () => `<!doctype html><title>page</title>
    <script type="importmap">{"imports":{"oauth4webapi":"/oauth4webapi.js"}}</script>
    <script type="module">
      import { createHolder } from '/client/client.js';
      const options = ${JSON.stringify({
        issuer: server.issuer,
        clientId: 'page',
        resource: api.origin,
      })};
      const authentication = { method: 'private_key_jwt' };
      globalThis.holder = (more) => createHolder({ ...options, authentication, ...more });
    </script>`;
  function servePage({ url = '/' }: IncomingMessage, response: ServerResponse): void {
    const code = url.startsWith('/client/')
      ? readFileSync(join(dist, url.replace('/client/', '')), 'utf8')
      : url === '/oauth4webapi.js' && module;
    response.setHeader('content-type', code === false ? 'text/html' : 'text/javascript');
    response.end(code === false ? html() : code);
  }
  async function opened(): Promise<Page> {
    const tab = await context.newPage();
    await tab.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
    await tab.waitForFunction(() => globalThis.holder !== undefined);
    return tab;
  }

  it('a page authenticates by private_key_jwt, obtains a token and calls an API with it', async () => {
    const answer = await page.evaluate(async (url) => {
      const holder = await globalThis.holder();
      return (await holder.fetch(url, { method: 'POST', body: 'hello' })).json();
    }, `${api.origin}/reports`);
    expect(answer).toEqual({ presenter: 'page', method: 'jkt', body: 'hello' });
    expect(api.seen.at(-1)?.headers.authorization).toMatch(/^DPoP /);
  });

  it('its key is in IndexedDB, the same after a reload, and no script can read it', async () => {
    const before = await page.evaluate(async () => (await globalThis.holder()).thumbprint);
    await page.reload();
    await page.waitForFunction(() => globalThis.holder !== undefined);
    expect(await page.evaluate(async () => (await globalThis.holder()).thumbprint)).toBe(before);
    const found = await page.evaluate(async () => {
      const all = await new Promise<CryptoKeyPair[]>((resolve) => {
        const opening = indexedDB.open('holdfast', 1);
        opening.onsuccess = () => {
          const asking = opening.result.transaction('keys').objectStore('keys').getAll();
          asking.onsuccess = () => resolve(asking.result as CryptoKeyPair[]);
        };
      });
      const exported = all.map(async ({ privateKey }) =>
        crypto.subtle.exportKey('jwk', privateKey).then(
          () => 'exported',
          (error: Error) => error.name,
        ),
      );
      return Promise.all(exported);
    });
    expect(found).toEqual(['InvalidAccessError']);
  });

  it('tabs that start at once have one key', async () => {
    const tabs = await Promise.all([opened(), opened(), opened()]);
    const holder = async (tab: Page) =>
      tab.evaluate(async () => (await globalThis.holder({ clientId: 'new' })).thumbprint);
    const thumbprints = await Promise.all([...tabs, ...tabs].map(holder));
    expect(new Set(thumbprints).size).toBe(1);
    await Promise.all(tabs.map(async (tab) => tab.close()));
  });

  it.each([
    { what: 'clientSecret', more: { authentication: undefined, clientSecret: 's'.repeat(32) } },
    {
      what: 'client_secret_post',
      more: { authentication: { method: 'client_secret_post', secret: 's'.repeat(32) } },
    },
  ])('refuses $what: everybody who opens the page would have it', async ({ more }) => {
    const refused = await page.evaluate(
      async (options) =>
        globalThis.holder(options).then(
          () => 'made',
          (error: { code: string }) => error.code,
        ),
      more,
    );
    expect(refused).toBe('secret_in_browser');
  });

  it('allows for a clock that is off', async () => {
    const status = await page.evaluate(async (url) => {
      const clock = () => Date.now() - 3_600_000;
      const holder = await globalThis.holder({ clock } as object);
      return (await holder.fetch(url)).status;
    }, `${api.origin}/reports`);
    expect(status).toBe(200);
  });

  it('follows no redirect: neither token nor proof gets to another origin', async () => {
    const to = encodeURIComponent(`${stranger.origin}/`);
    const outcome = await page.evaluate(
      async (url) =>
        (await globalThis.holder()).fetch(url).then(
          () => 'followed',
          (error: Error) => error.name,
        ),
      `${api.origin}/old?to=${to}`,
    );
    expect(outcome).toBe('TypeError');
    expect(stranger.seen).toEqual([]);
  });
});

declare global {
  var holder: (more?: object) => Promise<{
    readonly publicJwk: object;
    readonly thumbprint: string;
    readonly fetch: typeof fetch;
  }>;
}
