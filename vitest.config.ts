import { defineConfig } from 'vitest/config';

/** `unit` is the fast layer: no network beyond loopback, no child process. `system` uses what script/setup installs. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{contracts,storage,transcoder,functions,origin-edge,local}/**/*.test.ts'],
          environment: 'node',
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Two at a time: most of a test's time is waiting for media.
          fileParallelism: true,
          maxWorkers: 2,
        },
      },
    ],
  },
});
