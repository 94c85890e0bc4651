import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../support/api.ts';
import { bridgeProfile, type RunningBridge, startBridge } from '../support/bridge.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { chromiumArgs, executablePath } from '../support/pages.ts';
import { listening } from '../support/resource-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const args = [
  ...chromiumArgs,
  '--disable-popup-blocking',
  // As if the name of a page had been pointed at this machine (DNS rebinding).
  '--host-resolver-rules=MAP evil.example 127.0.0.1',
];

/** Without it there is nothing to test: `apt-get install chromium`. */
describe.skipIf(!existsSync(executablePath))('a page in Chromium cannot use the bridge', () => {
  const folder = scratchFolder();
  let server: LiveServer;
  let api: Api;
  let bridge: RunningBridge;
  let pages: { readonly port: number; close(): Promise<void> };
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    server = await liveServer();
    api = await openApi(server.issuer);
    await bridgeProfile(folder, server, api.origin);
    const listen = ['--listen', '127.0.0.1:0', '--any-local-user'];
    bridge = await startBridge(folder, ['--to', api.origin, ...listen]);
    const html = '<!doctype html><title>page</title><body>';
    pages = await listening(
      createServer((_request, response) => {
        response.setHeader('content-type', 'text/html');
        response.end(html);
      }),
    );
    browser = await chromium.launch({ executablePath, args });
  });
  beforeEach(async () => {
    page = await browser.newPage();
  });
  afterEach(async () => page.close());
  afterAll(async () => {
    await browser?.close();
    await bridge?.stop();
    await Promise.all([pages?.close(), api?.close(), server?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the bridge said since, once it has refused something. */
  const refusalOf = async (attempt: () => Promise<unknown>): Promise<string> => {
    const before = bridge.talk().length;
    await attempt().catch(() => undefined);
    while (bridge.talk().length === before) await once(bridge.child.stderr, 'data');
    return bridge.talk().slice(before);
  };

  it.each([
    ['fetch', 'fetch(URL)'],
    ['fetch that cannot read the answer', "fetch(URL, { mode: 'no-cors' })"],
    ['fetch with a field', "fetch(URL, { headers: { 'x-a': 'b' } })"],
    ['POST that needs no preflight', "fetch(URL, { method: 'POST', mode: 'no-cors', body: 'x' })"],
    ['a beacon', "navigator.sendBeacon(URL, 'x')"],
    ['events', 'new EventSource(URL)'],
    ['WebSocket', "new WebSocket(URL.replace('http', 'ws'))"],
    ['an image', 'new Image().src = URL'],
    [
      'a script',
      "document.body.append(Object.assign(document.createElement('script'), { src: URL }))",
    ],
    [
      'a style',
      "document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: URL }))",
    ],
    [
      'a prefetch',
      "document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: URL }))",
    ],
    [
      'a frame',
      "document.body.append(Object.assign(document.createElement('iframe'), { src: URL }))",
    ],
    [
      'a video',
      "document.body.append(Object.assign(document.createElement('video'), { src: URL }))",
    ],
    [
      'a form',
      "(() => { const form = Object.assign(document.createElement('form'), { method: 'post', action: URL }); document.body.append(form); form.submit(); })()",
    ],
    ['navigation', 'location.href = URL'],
    ['a window', 'void window.open(URL)'],
  ])('by %s', async (_way, code) => {
    await page.goto(`http://127.0.0.1:${pages.port}/`);
    const url = JSON.stringify(`${bridge.address}/page`);
    const refusal = await refusalOf(async () => page.evaluate(code.replaceAll('URL', url)));
    expect(refusal).toMatch(/403 [A-Z]+: web pages may not use this bridge/);
    expect(api.seen).toEqual([]);
  });

  it('by opening it', async () => {
    const refusal = await refusalOf(async () => page.goto(bridge.address));
    expect(refusal).toContain('403 GET');
    expect(api.seen).toEqual([]);
  });

  it('under a name of its own that leads here', async () => {
    const { port } = new URL(bridge.address);
    const refusal = await refusalOf(async () => page.goto(`http://evil.example:${port}/`));
    expect(refusal).toContain('421 GET');
    expect(api.seen).toEqual([]);
  });
});
