import { dispatcher, exactly, X509Source } from 'sallyport'

await using source = await X509Source.open()
await using orders = dispatcher(source, { server: exactly('spiffe://dev.test/examples/server') })
const answer = await fetch(`https://127.0.0.1:${process.env['PORT']}/`, { dispatcher: orders })
console.log((await answer.text()).trim())
