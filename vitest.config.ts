import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['./test/run-notes.ts', ...configDefaults.reporters],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Only a test that hangs shall fail by it: whoever shares the machine of CI takes processors away for seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Whoever shares the machine of CI takes processors away for seconds: a test is broken there when it fails three times in a row.
    // The end of the run lists which ones were asked again (test/run-notes.ts); at a desk each failure counts.
    retry: process.env['CI'] === undefined ? 0 : 2,
  },
})
