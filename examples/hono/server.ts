import { createServer } from 'node:https'
import { type HttpBindings, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { memberOf, peerOf, tlsServer, X509Source } from 'sallyport'

const source = await X509Source.open()
const app = new Hono<{ Bindings: HttpBindings }>()
app.get('/', (context) => context.text(`hello ${peerOf(context.env.incoming).id}\n`))
const serverOptions = tlsServer(source, { allow: memberOf('dev.test') })
serve({ fetch: app.fetch, createServer, serverOptions, port: Number(process.env['PORT']), hostname: '127.0.0.1' }, () =>
  console.log('ready'),
)
