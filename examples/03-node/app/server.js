const http = require('node:http');

const server = http.createServer((request, response) => {
  if (request.url === '/up') {
    response.end('ok\n');
    return;
  }
  response.end(`${process.env.TANDEM_VERSION} on node\n`);
});

server.listen(Number(process.env.PORT), '127.0.0.1');

// Asked only when the last request is done: nothing has to be waited for.
process.on('SIGTERM', () => process.exit(0));
