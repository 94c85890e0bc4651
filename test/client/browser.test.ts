import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi, openStranger } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { cors, hasChromium, openPages, type Pages, preflight } from '../support/pages.ts';

describe.skipIf(!hasChromium)('in Chromium, if /usr/bin/chromium exists', () => {
  let server: LiveServer;
  let api: Api;
  let stranger: Awaited<ReturnType<typeof openStranger>>;
  let pages: Pages;
  let page: Page;

  beforeAll(async () => {
    server = await liveServer({ DPOP_NONCE: 'required' });
    api = await openApi(server.issuer, { nonceRequired: true, headers: cors, open: preflight });
    stranger = await openStranger();
    await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
    const { issuer } = server;
    pages = await openPages({ issuer, clientId: 'page', resource: api.origin });
    page = await pages.open();
    const publicJwk = await page.evaluate(async () => (await globalThis.holder()).publicJwk);
    await server.admin('POST', 'clients', {
      client_id: 'page',
      token_endpoint_auth_method: 'private_key_jwt',
      scope: 'read',
      jwks: { keys: [publicJwk] },
    });
  });
  afterAll(async () => {
    await Promise.all([pages?.close(), api?.close(), stranger?.close(), server?.stop()]);
  });

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
    const tabs = await Promise.all([pages.open(), pages.open(), pages.open()]);
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
