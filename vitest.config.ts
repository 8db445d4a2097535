import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Only a test that hangs shall fail by it: whoever shares the machine of CI takes processors away for seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
