import { defineConfig } from 'vitest/config';
import { leftOutReporter } from './test/support/left-out.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', leftOutReporter],
    globalSetup: './test/support/migrated-databases.ts',
    testTimeout: 90_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
