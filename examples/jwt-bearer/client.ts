import { jwtFetch, JwtSource } from 'sallyport'

await using source = await JwtSource.open()
const fetchGreetings = jwtFetch(source, 'greetings')
const url = `http://127.0.0.1:${process.env['PORT']}/`
const answer = await fetchGreetings(url)
console.log((await answer.text()).trim())
const { status } = await fetch(url)
console.log(`without a token: ${status}`)
