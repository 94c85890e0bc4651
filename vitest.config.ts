import { defineConfig } from 'vitest/config';
import { leftOutReporter } from './test/support/left-out.ts';

/** Files that change their process, or count what it holds. */
const alone = ['test/load/cache-sizes.test.ts', 'test/observability/*.test.ts'];

export default defineConfig({
  test: {
    reporters: ['default', leftOutReporter],
    globalSetup: './test/support/migrated-databases.ts',
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // Many tests wait for something: three fill two cores.
    maxWorkers: 3,
    projects: [
      // Files share their process: to load the server anew for each took half the time.
      {
        extends: true,
        test: { name: 'shared', isolate: false, include: ['test/**/*.test.ts'], exclude: alone },
      },
      { extends: true, test: { name: 'alone', include: alone } },
    ],
  },
});
