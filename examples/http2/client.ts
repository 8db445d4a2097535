import { text } from 'node:stream/consumers'
import { connectHttp2, exactly, X509Source } from 'sallyport'

await using source = await X509Source.open()
const session = await connectHttp2(source, `https://127.0.0.1:${process.env['PORT']}`, {
  server: exactly('spiffe://dev.test/examples/server'),
})
const answers = await Promise.all(['/a', '/b'].map((path) => text(session.request({ ':path': path }))))
for (const answer of answers) console.log(answer.trim())
session.close()
