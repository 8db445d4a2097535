import { type sendUnaryData, Server, type ServerUnaryCall } from '@grpc/grpc-js'
import { exactly, peerOf, X509Source } from 'sallyport'
import { serverCredentials } from 'sallyport/grpc'
import { Greeter, type GreetRequest, type GreetResponse } from './greeter.ts'

const source = await X509Source.open()
const server = new Server()
server.addService(Greeter.service, {
  greet(call: ServerUnaryCall<GreetRequest, GreetResponse>, callback: sendUnaryData<GreetResponse>) {
    callback(null, { text: `${call.request.greeting} ${peerOf(call).id}` })
  },
})
const credentials = serverCredentials(source, { allow: exactly('spiffe://dev.test/examples/client') })
server.bindAsync(`127.0.0.1:${process.env['PORT']}`, credentials, (error) => {
  if (error !== null) throw error
  console.log('ready')
})
