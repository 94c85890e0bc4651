import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { testServer } from '../support/server.ts';

it('a Redis that cannot be reached gets one line a minute in the log, without a stack', async () => {
  const server = await testServer({ env: { REDIS_URL: 'redis://127.0.0.1:1' } });
  await sleep(1000);
  const lines = server.logs.filter(({ msg }) => /Redis|connection lost/.test(String(msg)));
  expect(lines.map(({ msg, err }) => [msg, err])).toEqual([
    ['Redis (REDIS_URL) cannot be reached: connect ECONNREFUSED 127.0.0.1:1', undefined],
  ]);
  await server.stop();
});
