// A chat of one file: each message goes to everybody on this instance, with the version that passed it on.
const { createHash } = require('node:crypto');
const http = require('node:http');

const clients = new Set();
const server = http.createServer((_, response) => response.end('ok\n'));

server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  clients.add(socket);
  socket.on('close', () => clients.delete(socket));
  socket.on('error', () => clients.delete(socket));
  socket.on('end', () => socket.end());
  socket.on('data', (frame) => {
    if ((frame[0] & 15) !== 1) return socket.end(); // Only short texts, and the end.
    const [mask, text] = [frame.subarray(2, 6), frame.subarray(6, 6 + (frame[1] & 127))];
    const said = Buffer.from(`${process.env.TANDEM_VERSION}: ${Buffer.from(text.map((byte, at) => byte ^ mask[at % 4]))}`);
    for (const client of clients) client.write(Buffer.concat([Buffer.from([0x81, said.length]), said]));
  });
});

server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
