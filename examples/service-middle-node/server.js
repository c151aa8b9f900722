// service-middle in JavaScript: answers who it is, and what service-back has said.
const http = require('node:http')
const os = require('node:os')

const back = process.env.SERVICE_BACK_URL || 'http://service-back/'
let requests = 0

// ask sends the request on, with the headers that tell whose it is.
function ask(request, answered, failed) {
  const headers = {}
  for (const name of ['baggage', 'traceparent', 'tracestate']) {
    if (request.headers[name]) headers[name] = request.headers[name]
  }
  http.get(back, { headers }, (answer) => {
    let said = ''
    answer.setEncoding('utf8')
    answer.on('data', (part) => { said += part })
    answer.on('end', () => answered(said))
  }).on('error', failed)
}

http.createServer((request, response) => {
  const number = ++requests
  ask(request, (said) => {
    const note = `request ${number} here, answered by ${said.split('\n')[0]}`
    console.log(note) // a breakpoint here shows number, said and note
    const lines = said.trimEnd().split('\n').map((line) => `  ${line}\n`)
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    response.end(`service-middle on ${os.hostname()}\n${lines.join('')}`)
  }, (error) => {
    response.statusCode = 502
    response.end(`service-middle: ${error.message}\n`)
  })
}).listen(9090)
