import Fastify from 'fastify';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type DemandedListener,
  loadedOnDemand,
} from '../../src/http/listener/on-demand-listener.ts';

describe('routes that are loaded with the first request', () => {
  let server: DemandedListener;
  const lines: string[] = [];
  const listen = async (load: Parameters<typeof loadedOnDemand>[0]) => {
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    server = await loadedOnDemand(load, logger);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  };
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('are loaded once for requests that arrive together, each answered with its own body', async () => {
    let loads = 0;
    const url = await listen(async () => {
      loads++;
      const app = Fastify();
      app.post('/echo', async ({ body }) => body);
      return app;
    });
    expect(loads).toBe(0);
    const ask = async (n: number) =>
      (
        await fetch(`${url}/echo`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: `{"n":${n}}`,
        })
      ).json();
    expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(loads).toBe(1);
  });

  it('that fail to load answer 500 without the reason, which is logged, and are tried again', async () => {
    let broken = true;
    const url = await listen(async () => {
      if (broken) throw new Error('the file is gone');
      const app = Fastify();
      app.get('/', async () => 'here');
      return app;
    });
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('content-type')]).toEqual([
      500,
      'application/problem+json',
    ]);
    expect(await refused.text()).not.toContain('gone');
    expect(lines.join('')).toContain('the file is gone');
    broken = false;
    expect(await (await fetch(url)).text()).toBe('here');
  });
});
