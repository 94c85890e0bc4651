import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('examples/paired-app: every answer is the expected one', async () => {
  const main = join(import.meta.dirname, '../../examples/paired-app/main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [main], {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  });
  expect(stdout.split('\n').filter((line) => line.startsWith('!'))).toEqual([]);
  expect(stdout.match(/presented by cal-backend/g)).toHaveLength(2);
});
