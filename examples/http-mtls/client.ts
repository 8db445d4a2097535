import { get } from 'node:https'
import { text } from 'node:stream/consumers'
import { exactly, httpsAgent, X509Source } from 'sallyport'

await using source = await X509Source.open()
const agent = httpsAgent(source, { server: exactly('spiffe://dev.test/examples/server') })
const url = `https://127.0.0.1:${process.env['PORT']}/`
const answer = await new Promise<string>((resolve, reject) => {
  get(url, { agent }, (response) => void text(response).then(resolve, reject)).on('error', reject)
})
console.log(answer.trim())
agent.destroy()
