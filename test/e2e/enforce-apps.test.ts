import express from 'express'
import fastify from 'fastify'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Enforcer } from '../../src/enforce/enforcer.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { TestSource } from '../fakes/test-source.ts'
import { acme, idOf, rowsOf } from '../src/policy/acme.ts'
import { authority, callAs, EnforcedService, svidOf } from './enforced-service.ts'

const storefront = '/ns/web/sa/storefront'

test('an app of Express hears of no request that is refused, its middleware included', async () => {
  const heard: string[] = []
  const app = express()
  app.use((request, _response, next) => {
    heard.push(request.url)
    next()
  })
  app.use((request, response) => void response.end(`hello ${peerOf(request).id.path}`))
  await using service = await EnforcedService.start(createServer({ ALPNProtocols: ['http/1.1'] }, app))
  const svid = await svidOf(storefront)
  expect(await callAs(svid, service.port)).toMatchObject({ status: 200, body: `hello ${storefront}` })
  expect(await callAs(svid, service.port, { path: '/admin/users' })).toMatchObject({ status: 403, body: '' })
  expect(heard).toEqual(['/v1/orders/1'])
})

test('an app of Fastify hears of none either, on none of the servers that it makes', async () => {
  const heard: string[] = []
  const agent = new PolicyAgent()
  agent.apply(acme, rowsOf(acme), idOf('/ns/shop/sa/orders'))
  await using policy = await agent.open()
  const source = new TestSource(await svidOf('/ns/shop/sa/orders'), (await authority()).bundle())
  const enforcer = new Enforcer(source, { service: 'orders', policy, port: 8443 })
  const app = fastify({ https: { ...tlsServer(source, enforcer.serverOptions), ALPNProtocols: ['http/1.1'] } })
  app.addHook('onRequest', async (request) => void heard.push(request.url))
  app.get('/v1/orders/:id', async (request) => `hello ${peerOf(request.raw).id.path}`)
  app.get('/admin/users', async () => 'everybody')
  // As many addresses as the name has: Fastify makes a server for each.
  await app.listen({ host: 'localhost', port: 0 })
  const svid = await svidOf(storefront)
  for (const { port } of app.addresses() as AddressInfo[]) {
    expect(await callAs(svid, port)).toMatchObject({ status: 200, body: `hello ${storefront}` })
    expect(await callAs(svid, port, { path: '/admin/users' })).toMatchObject({ status: 403, body: '' })
  }
  expect(new Set(heard)).toEqual(new Set(['/v1/orders/1']))
  for (const connection of enforcer.connections) connection.destroy('shutdown')
  await app.close()
})
