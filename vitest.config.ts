import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.timbre/**'],
    globalSetup: ['db/src/testing/global-setup.ts'],
    // Real servers, processes and audio: forks keep a crash in one file from another, two cores run two files.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
