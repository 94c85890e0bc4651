import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { leftOut } from '../support/left-out.ts';

describe('`npm test` on a machine without servers', () => {
  it('passes over a file whose tests all need one, and ends with what it left out and how to run it', async () => {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const child = spawn(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', 'test/outage/store-away.test.ts'],
      {
        cwd: join(import.meta.dirname, '../..'),
        env: { PATH, HOME, NODE_COMPILE_CACHE, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect([child.exitCode, /Tests {2}(\d+) skipped \(\1\)/.test(output)]).toEqual([0, true]);
    expect(output).toMatch(
      /Left out.*on PostgreSQL: set TEST_DATABASE_URL=.*on Redis: set TEST_REDIS_URL=/s,
    );
  });

  it('says nothing where everything is here', () => {
    const need = (present: boolean) => ({ tests: 'x', how: 'y', isHere: () => present });
    expect(leftOut({}, { here: need(true) })).toEqual([]);
    expect(leftOut({}, { here: need(true), gone: need(false) })).toEqual(['  - x: y']);
  });
});
