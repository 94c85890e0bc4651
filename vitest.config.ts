import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { leftOutReporter } from './test/support/left-out.ts';

/** Files that count what their process holds. */
const alone = ['test/load/cache-sizes.test.ts'];

// Every server starts a thread from TypeScript: Node.js keeps what it makes of it.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/tests');

export default defineConfig({
  test: {
    reporters: ['default', leftOutReporter],
    globalSetup: './test/support/migrated-databases.ts',
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // Servers come and go: fewer collections of young objects.
    execArgv: ['--max-semi-space-size=64'],
    // Many tests wait for something: four fill two cores.
    maxWorkers: 4,
    // Tests that run side by side in a file mostly wait.
    maxConcurrency: 16,
    // Node.js runs the sources itself, as it runs `npm run dev`: nothing is transformed for tests.
    experimental: { viteModuleRunner: false, nodeLoader: false },
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
