import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

/** Debian's Chromium, and how it starts without looking anything up elsewhere. */
export const executablePath = '/usr/bin/chromium';
export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const root = join(import.meta.dirname, '../..');

/** Without it pages cannot be tested: `apt-get install chromium`. */
export const hasChromium = existsSync(executablePath);

/** What an API must say for pages of other origins to call it. */
export const cors = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'Authorization, DPoP, Content-Type',
  'access-control-allow-methods': 'GET, POST, PUT',
  'access-control-expose-headers': 'DPoP-Nonce, WWW-Authenticate, Date',
};

/** Answers a preflight; false for other requests. */
export const preflight = (request: IncomingMessage, response: ServerResponse): boolean =>
  request.method === 'OPTIONS' && Boolean(response.writeHead(204, cors).end());

/** Chromium, and a server of one page in which `holder(options)` makes a holder. */
export interface Pages {
  /** Opens the page in a new tab of one profile. */
  open(): Promise<Page>;
  close(): Promise<void>;
}

/** Builds the client library and starts both; `options` are those of `createHolder`. */
export async function openPages(options: object): Promise<Pages> {
  const dist = mkdtempSync(join(tmpdir(), 'holdfast-dist-'));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = ['-p', join(root, 'packages/client'), '--outDir', dist];
  execFileSync(process.execPath, [tsc, ...project]);
  const module = readFileSync(join(root, 'node_modules/oauth4webapi/build/index.js'), 'utf8');
  const html = `<!doctype html><title>page</title>
    <script type="importmap">{"imports":{"oauth4webapi":"/oauth4webapi.js"}}</script>
    <script type="module">
      import { createHolder } from '/client/client.js';
      const options = ${JSON.stringify(options)};
      const authentication = { method: 'private_key_jwt' };
      globalThis.holder = (more) => createHolder({ ...options, authentication, ...more });
    </script>`;
  const server = createServer(({ url = '/' }, response) => {
    const code = url.startsWith('/client/')
      ? readFileSync(join(dist, url.replace('/client/', '')), 'utf8')
      : url === '/oauth4webapi.js' && module;
    response.setHeader('content-type', code === false ? 'text/html' : 'text/javascript');
    response.end(code === false ? html : code);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({ executablePath, args: chromiumArgs });
  const context = await browser.newContext();
  return {
    async open() {
      const tab = await context.newPage();
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await tab.waitForFunction(() => globalThis.holder !== undefined);
      return tab;
    },
    async close() {
      await browser.close();
      server.closeAllConnections();
      server.close();
      rmSync(dist, { recursive: true });
    },
  };
}

declare global {
  var holder: (more?: object) => Promise<{
    readonly publicJwk: object;
    readonly thumbprint: string;
    readonly fetch: typeof fetch;
  }>;
}
