import { existsSync, readFileSync } from 'node:fs'

/** The version in package.json, two folders above the sources, one above the bundle. */
export const VERSION: string = readVersion()

function readVersion(): string {
  const places = ['../../package.json', '../package.json'].map((place) => new URL(place, import.meta.url))
  const found = places.find((place) => existsSync(place))
  if (found === undefined) return 'unknown'
  return (JSON.parse(readFileSync(found, 'utf8')) as { version: string }).version
}
