// A CONNECT over HTTP/2 between Node's own client and proxy, and HTTP/1.1 inside the tunnel.
// Standard output: the proxy's port, then what the client and the origin say they met.
// Standard input: the port that the client is to use (a relay that keeps the bytes).
'use strict';
const http = require('http');
const http2 = require('http2');
const net = require('net');

const origin = http.createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    response.setHeader('Content-Type', 'text/plain');
    response.end(`met ${request.method} ${request.url} ${body}`);
  });
});

const proxy = http2.createServer();
proxy.on('stream', (stream, headers) => {
  if (headers[':method'] !== 'CONNECT') {
    stream.respond({ ':status': 404 });
    stream.end('no');
    return;
  }
  if (headers[':authority'] !== 'inner.example:80') {
    stream.respond({ ':status': 403 });
    stream.end('forbidden');
    return;
  }
  const socket = net.connect(origin.address().port, '127.0.0.1', () => {
    stream.respond({ ':status': 200 });
    socket.pipe(stream);
    stream.pipe(socket);
  });
  socket.on('error', () => stream.close());
});

function exchange(session, headers) {
  return new Promise((resolve) => {
    const stream = session.request(headers, { endStream: headers[':method'] !== 'CONNECT' });
    let text = '';
    let status = 0;
    stream.setEncoding('utf8');
    stream.on('response', (found) => {
      status = found[':status'];
      if (headers[':method'] === 'CONNECT' && status === 200) {
        stream.write('POST /in HTTP/1.1\r\nHost: inner.example\r\nContent-Length: 5\r\n'
          + 'Connection: close\r\n\r\nhello');
      }
    });
    stream.on('data', (chunk) => { text += chunk; });
    stream.on('end', () => { stream.end(); });
    stream.on('close', () => resolve({ status, text: text.split('\r\n\r\n').pop() }));
  });
}

async function talk(port) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const told = await Promise.all([
    exchange(session, { ':method': 'GET', ':path': '/plain' }),
    exchange(session, { ':method': 'CONNECT', ':authority': 'inner.example:80' }),
    exchange(session, { ':method': 'CONNECT', ':authority': 'other.example:443' }),
  ]);
  session.close(() => {
    console.log(JSON.stringify(told));
    process.exit(0);
  });
}

origin.listen(0, '127.0.0.1', () => {
  proxy.listen(0, '127.0.0.1', () => {
    console.log(proxy.address().port);
    process.stdin.once('data', (line) => talk(Number(line)));
  });
});
