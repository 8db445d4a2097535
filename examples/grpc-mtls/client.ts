import type { ServiceError } from '@grpc/grpc-js'
import { exactly, X509Source } from 'sallyport'
import { channelCredentials } from 'sallyport/grpc'
import { Greeter, type GreetResponse } from './greeter.ts'

await using source = await X509Source.open()
const credentials = channelCredentials(source, { server: exactly('spiffe://dev.test/examples/server') })
const client = new Greeter(`127.0.0.1:${process.env['PORT']}`, credentials)
const { text } = await new Promise<GreetResponse>((resolve, reject) => {
  const done = (error: ServiceError | null, response: GreetResponse): void =>
    error ? reject(error) : resolve(response)
  client['greet']!({ greeting: 'hello' }, done)
})
console.log(text)
client.close()
