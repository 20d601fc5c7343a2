// Says its words every 50 ms, comes again when its connection is closed, and ends when it has heard this version:
//   node client.js URL VERSION WORDS
const http = require('node:http');

const [url, version, words] = process.argv.slice(2);
const heard = new Set();

function connect() {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Version': 13 };
  const request = http.get(url, { headers });
  request.on('error', (why) => { console.log(`failed: ${why.message}`); process.exit(1); });
  request.on('response', (response) => { console.log(`refused: ${response.statusCode}`); process.exit(1); });
  request.on('upgrade', (_, socket) => {
    const text = Buffer.from(words);
    const say = setInterval(() => socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text])), 50);
    socket.on('error', () => {});
    socket.on('close', () => { clearInterval(say); connect(); });
    socket.on('data', (frame) => {
      if ((frame[0] & 15) !== 1) return socket.end();
      const said = frame.subarray(2, 2 + (frame[1] & 127)).toString();
      if (!heard.has(said)) console.log(said);
      heard.add(said);
      if (said.startsWith(`${version}:`)) process.exit(0);
    });
  });
}

connect();
