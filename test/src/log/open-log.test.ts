import { expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { openLog } from '../../../src/log/open-log.ts'

function captured(format: 'json' | 'text') {
  const lines: string[] = []
  return { lines, log: openLog({ level: 'debug', format, write: (line) => lines.push(line) }) }
}

test('SV-12 tokens and keys are redacted wherever they stand', () => {
  const { lines, log } = captured('json')
  log.info({ token: 'secret-1', request: { privateKey: 'secret-2', csr: 'secret-3' } }, 'Something happened')
  expect(lines.join('')).not.toMatch(/secret-/)
  expect(lines.join('')).toContain('Something happened')
})

test('an error on purpose is logged by code and hint, a surprise with its stack', () => {
  const { lines, log } = captured('json')
  log.error({ err: new SallyportError('NOT_READY', 'Cannot serve', { cause: new Error('deep') }) }, 'Cannot serve')
  log.error({ err: new TypeError('surprise') }, 'Cannot serve')
  const [known, surprise] = lines.map((line) => JSON.parse(line) as { err: Record<string, unknown> })
  expect(known?.err).toMatchObject({ code: 'NOT_READY', cause: { message: 'deep' } })
  expect(known?.err).not.toHaveProperty('stack')
  expect(surprise?.err).toHaveProperty('stack')
})

test('text lines hold time, level, sentence and facts', () => {
  const { lines, log } = captured('text')
  log.child({ agentId: 'a' }).info({ entryId: 'e1' }, 'Created entry')
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}Created entry {2}agentId=a entryId=e1\n$/)
})

test('a fact of a text line makes no lines of its own and steers no terminal', () => {
  const { lines, log } = captured('text')
  log.info({ version: '1\n12:00:00.000 INFO  forged', name: { of: '\u001B[2J\u009B' } }, 'Agent follows')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('version=1\\u000a12:00:00.000 INFO  forged name={"of":"\\u001b[2J\\u009b"}')
  expect(lines[0]?.trimEnd()).not.toContain('\n')
})

test('ids are printed as text, in a child too', () => {
  const { lines, log } = captured('json')
  const id = SpiffeId.parse('spiffe://example.org/a')
  log.child({ callerId: id }).info({ agentId: id }, 'Attested agent')
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    agentId: 'spiffe://example.org/a',
    callerId: 'spiffe://example.org/a',
  })
})

test('the level can change while the process runs', () => {
  const { lines, log } = captured('json')
  log.level = 'warn'
  log.info({}, 'quiet')
  log.warn({}, 'loud')
  expect(lines).toHaveLength(1)
})
