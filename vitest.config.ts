import { defineConfig } from 'vitest/config';

declare module 'vitest' {
  interface ProvidedContext {
    fastCheckRuns: number;
  }
}

export default defineConfig({
  // vitest prefers graphql's `module` build, Node and Apollo load `main`: two copies refuse each other's errors and schemas.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.timbre/**'],
    globalSetup: ['db/src/testing/global-setup.ts'],
    // Real servers, processes and audio: forks keep a crash in one file from another, two cores run two files.
    pool: 'forks',
    execArgv: ['--import', import.meta.resolve('./db/src/quick-imports.ts')],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // vitest's second is short on a busy machine: what is waited for comes, or the test is wrong.
    expect: { poll: { timeout: 30_000 } },
    // How many random queries the router's conformance is tested with.
    provide: { fastCheckRuns: Number(process.env['FAST_CHECK_RUNS'] ?? 500) },
  },
});
