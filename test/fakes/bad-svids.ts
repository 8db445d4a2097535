export { type BadSvid, badSvidNames, badSvids, issueBad } from '../../src/testing/bad-svids.ts'
